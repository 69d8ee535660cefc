"""A compiled step equals the reference's, whatever is free, guided or shared out to threads."""

from __future__ import annotations

from dataclasses import fields

import pytest
import torch

from engine.attention import plan_attention, plan_own_attention
from engine.batch_state import BatchState, first_state
from engine.kernels.cpu_stepper import CpuStepper
from engine.model import DiffusionGemma
from engine.relation_batch import RelationBatch
from engine.sampler import Projection, StepResult
from engine.stepper import EagerStepper
from tests.engine.factories import (
    CELLS,
    CONSTRAINT,
    RELATIONS,
    VOCABULARY,
    latin_request,
    small_model,
)

CPU = torch.device("cpu")


def starting_state(model: DiffusionGemma, count: int, *, restricted: bool = True) -> BatchState:
    """Canvases of which each has some more clues than the one before."""
    clues = [{cell: 1 + cell % 4 for cell in range(i % CELLS)} for i in range(count)]
    requests = [latin_request(known, seed=i) for i, known in enumerate(clues)]
    domain = torch.stack([torch.from_numpy(r.full_domain(VOCABULARY)) for r in requests])
    chosen = domain if restricted else None
    return first_state(requests, CELLS, chosen, model.config.first_belief, VOCABULARY, CPU)


def assert_same(found: StepResult, expected: StepResult) -> None:
    for field in fields(StepResult):
        a, b = getattr(found, field.name), getattr(expected, field.name)
        assert a.dtype == b.dtype
        if a.is_floating_point():
            torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)
        else:
            assert torch.equal(a, b), field.name


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("project", [None, CONSTRAINT.project])
@pytest.mark.parametrize("restricted", [True, False])
def test_steps_equal_the_reference(
    threads: int, project: Projection | None, restricted: bool
) -> None:
    model = small_model()
    plan = plan_attention(model.config, RELATIONS, CPU)
    fast, reference = CpuStepper(model, threads), EagerStepper(model)
    state = starting_state(model, 20, restricted=restricted)
    for _ in range(4):
        found = fast.step(state, plan, project)
        assert_same(found, reference.step(state, plan, project))
        state = state.after(found)


def test_canvases_with_relations_of_their_own_are_stepped_alike() -> None:
    model = small_model()
    own = RelationBatch.stack([RELATIONS] * 20, CELLS, CPU)
    plan, shared = (
        plan_own_attention(model.config, own),
        plan_attention(model.config, RELATIONS, CPU),
    )
    fast, state = CpuStepper(model, 2), starting_state(model, 20)
    assert_same(fast.step(state, plan, None), EagerStepper(model).step(state, shared, None))


def test_a_clamp_is_certain_and_has_all_the_mass() -> None:
    model = small_model()
    plan = plan_attention(model.config, RELATIONS, CPU)
    state = starting_state(model, 16)
    for stepper in (CpuStepper(model, 2), EagerStepper(model)):
        step = stepper.step(state, plan, None)
        assert (step.candidate_mass[~state.free] == 1).all()
        assert (step.entropy[~state.free] == 0).all()
        assert (step.candidate_mass[state.free] < 1).all()  # token 0 is outside every domain
