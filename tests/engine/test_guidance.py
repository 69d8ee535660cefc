from collections.abc import Callable

import numpy as np
import pytest
import torch

from engine.constraints import AllDifferent
from engine.guidance import EagerGuide, Guide
from engine.kernels.cpu_guide import cpu_guide
from engine.sampler import StepResult
from tests.engine.factories import CELLS, CONSTRAINT, LATIN, VOCABULARY

GuideBy = Callable[[AllDifferent], Guide]

SOLUTION = torch.tensor([1, 2, 3, 4, 2, 1, 4, 3, 3, 4, 1, 2, 4, 3, 2, 1])


def step_of(belief: torch.Tensor) -> StepResult:
    tokens = belief.argmax(dim=-1)
    return StepResult(
        belief=belief,
        canvas=tokens,
        draft=tokens,
        accepted=torch.zeros_like(tokens, dtype=torch.bool),
        entropy=torch.zeros(tokens.shape),
        candidate_mass=torch.ones(tokens.shape),
    )


def belief_in(tokens: torch.Tensor, strength: torch.Tensor) -> torch.Tensor:
    """A belief that gives ``strength`` [B, L] to ``tokens`` [L], the rest to all digits alike."""
    flat = torch.full((len(strength), CELLS, VOCABULARY), 1 / LATIN)
    flat[..., 0] = 0
    sure = torch.nn.functional.one_hot(tokens, VOCABULARY).float()
    return strength[..., None] * sure + (1 - strength[..., None]) * flat


def open_domain(batch: int = 1) -> torch.Tensor:
    domain = torch.ones(batch, CELLS, VOCABULARY, dtype=torch.bool)
    domain[..., 0] = False
    return domain


NO_NOISE = torch.zeros(1, CELLS, VOCABULARY)


def compiled(rule: AllDifferent) -> Guide:
    guide = cpu_guide(rule, torch.device("cpu"), VOCABULARY)
    assert guide is not None
    return guide


@pytest.fixture(params=[EagerGuide, compiled], ids=["reference", "compiled"])
def guide_by(request: pytest.FixtureRequest) -> GuideBy:
    return request.param


@pytest.fixture
def guide(guide_by: GuideBy) -> Guide:
    return guide_by(CONSTRAINT)


def test_a_right_belief_is_read_off(guide: Guide) -> None:
    belief = belief_in(SOLUTION, torch.full((1, CELLS), 0.9))
    step = guide.dive(step_of(belief), open_domain(), NO_NOISE)
    assert step.draft[0].tolist() == SOLUTION.tolist()


def test_less_clear_positions_follow_from_the_clearer_ones(guide: Guide) -> None:
    wrong = SOLUTION.clone()
    wrong[15] = 2  # the belief is mistaken where it is least sure
    strength = torch.linspace(0.95, 0.5, CELLS)[None]
    step = guide.dive(step_of(belief_in(wrong, strength)), open_domain(), NO_NOISE)
    assert step.draft[0].tolist() == SOLUTION.tolist()


def test_positions_with_the_fewest_tokens_go_first(guide_by: GuideBy) -> None:
    pair = AllDifferent(2, np.array([[0, 1]]))
    belief = torch.tensor([[[0.51, 0.49, 0.0], [0.98, 0.01, 0.01]]])
    step = guide_by(pair).dive(step_of(belief), belief > 0, torch.zeros_like(belief))
    assert step.draft[0, 0] == 0


def test_among_positions_with_as_many_tokens_the_clearest_draw_goes_first(
    guide_by: GuideBy,
) -> None:
    pair = AllDifferent(2, np.array([[0, 1]]))
    belief = torch.tensor([[[0.51, 0.48, 0.01], [0.98, 0.01, 0.01]]])
    step = guide_by(pair).dive(step_of(belief), belief > 0, torch.zeros_like(belief))
    assert step.draft.tolist() == [[1, 0]]


def test_a_token_that_contradicts_alone_is_ruled_out(guide_by: GuideBy) -> None:
    triangle = AllDifferent(3, np.array([[0, 1], [1, 2], [0, 2]]))
    belief = torch.tensor([[[0.9, 0.1, 0.0], [0.5, 0.0, 0.5], [0.5, 0.0, 0.5]]])
    step = guide_by(triangle).dive(step_of(belief), belief > 0, torch.zeros_like(belief))
    assert step.draft[0, 0] == 1  # with 0 there, both others would have to be 2
    assert triangle.violations(step.draft).tolist() == [0]


def test_noise_alone_still_dives_to_consistent_squares(guide: Guide) -> None:
    batch = 50
    belief = belief_in(SOLUTION, torch.zeros(batch, CELLS))
    gumbel = -torch.log(-torch.log(torch.rand(batch, CELLS, VOCABULARY)))
    step = guide.dive(step_of(belief), open_domain(batch), gumbel)
    assert (CONSTRAINT.violations(step.draft) == 0).sum() > batch // 2


def test_the_draft_never_leaves_the_domain(guide: Guide) -> None:
    domain = open_domain() & (torch.rand(1, CELLS, VOCABULARY) < 0.6)
    domain |= torch.nn.functional.one_hot(SOLUTION, VOCABULARY).bool()
    belief = domain / domain.sum(dim=-1, keepdim=True)
    step = guide.dive(step_of(belief), domain, NO_NOISE)
    assert domain.gather(-1, step.draft[..., None]).all()


def test_a_belief_without_mass_on_what_is_left_still_gives_a_draft_inside(guide: Guide) -> None:
    nowhere = torch.nn.functional.one_hot(torch.zeros(1, CELLS, dtype=torch.int64), VOCABULARY)
    step = guide.dive(step_of(nowhere.float()), open_domain(), NO_NOISE)
    assert open_domain().gather(-1, step.draft[..., None]).all()
