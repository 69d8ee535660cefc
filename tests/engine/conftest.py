"""Engines of small models, each in its thread."""

from collections.abc import Iterator

import pytest

from engine.engine import Engine
from engine.limits import EngineLimits
from tests.engine.factories import checkpoint, free_model, plain_model, small_model


@pytest.fixture
def engine() -> Iterator[Engine]:
    models = {"free": checkpoint(free_model()), "latin": checkpoint(small_model())}
    with Engine(models, EngineLimits(max_batch=4, max_queue=6)) as running:
        yield running


@pytest.fixture
def text_engine() -> Iterator[Engine]:
    limits = EngineLimits(max_batch=2, max_context=256)
    with Engine({"text": checkpoint(plain_model())}, limits) as running:
        yield running
