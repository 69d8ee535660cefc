"""How a checkpoint generates unasked: saved, loaded, refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine.canvas import SamplingParams
from engine.checkpoint import CheckpointError, load_checkpoint, save_checkpoint
from engine.generation import GenerationParams
from tests.engine.checkpoints import random_model


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A checkpoint in one file, this test's own."""
    save_checkpoint(random_model(), tmp_path)
    return tmp_path


def test_generation_defaults_are_saved_and_loaded(tmp_path: Path) -> None:
    params = GenerationParams(
        sampling=SamplingParams(
            max_steps=7, t_min=0.2, t_max=0.9, entropy_bound=0.3, stability=2, confidence=0.1
        ),
        max_new_tokens=12,
        eos_token_ids=(3, 4),
        pad_token_id=2,
    )
    save_checkpoint(random_model(), tmp_path, generation=params)
    assert load_checkpoint(tmp_path).generation == params


def test_generation_defaults_fall_to_the_architectures(folder: Path) -> None:
    expected = GenerationParams(eos_token_ids=(1,), pad_token_id=0)
    assert load_checkpoint(folder).generation == expected
    nothing = {"max_denoising_steps": None, "sampler_config": None, "t_max": None}
    (folder / "generation_config.json").write_text(json.dumps(nothing))
    assert load_checkpoint(folder).generation == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"t_min": 100}', "sampling.t_min: got 100"),
        ('{"sampler_config": {"_cls_name": "Greedy"}}', "_cls_name: got 'Greedy'"),
        ('{"t_min": "warm"}', "generation_config.json"),
        ("[]", "generation_config.json"),
        ("{", "generation_config.json"),
        ("[" * 100_000, "generation_config.json"),
        ('{"max_new_tokens": -1}', "max_new_tokens: got -1, accepted: an integer of at least 0"),
        ('{"max_new_tokens": "many"}', "max_new_tokens: got 'many'"),
        ('{"max_denoising_steps": 7.5}', "max_denoising_steps: got 7.5"),
        ('{"eos_token_id": [1, "a"]}', "eos_token_id: got 'a', accepted: tokens"),
        ('{"eos_token_id": 1e99}', r"eos_token_id: got 1e\+99"),
    ],
)
def test_generation_defaults_that_cannot_be_used_are_refused(
    text: str, message: str, folder: Path
) -> None:
    (folder / "generation_config.json").write_text(text)
    with pytest.raises(CheckpointError, match=message):
        load_checkpoint(folder)
