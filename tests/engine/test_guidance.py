import torch

from engine.guidance import make_consistent
from engine.sampler import StepResult
from tests.engine.factories import CELLS, CONSTRAINT, LATIN, VOCABULARY


def step_of(canvas: torch.Tensor, entropy: torch.Tensor, accepted: torch.Tensor) -> StepResult:
    belief = torch.full((1, CELLS, VOCABULARY), 1 / LATIN)
    belief[..., 0] = 0
    return StepResult(
        belief=belief,
        canvas=canvas[None],
        draft=canvas[None],
        accepted=accepted[None],
        entropy=entropy[None],
        candidate_mass=torch.ones(1, CELLS),
    )


def open_domain() -> torch.Tensor:
    domain = torch.ones(1, CELLS, VOCABULARY, dtype=torch.bool)
    domain[..., 0] = False
    return domain


def test_what_follows_from_the_kept_tokens_is_filled_in() -> None:
    canvas = torch.tensor([1, 2, 3, 1] + [1] * 12)
    accepted = torch.arange(CELLS) < 3
    step = make_consistent(step_of(canvas, torch.zeros(CELLS), accepted), open_domain(), CONSTRAINT)
    assert step.canvas[0, :4].tolist() == [1, 2, 3, 4]
    assert step.accepted[0, :4].all()


def test_a_contradicting_sample_keeps_only_its_most_certain_part() -> None:
    canvas = torch.tensor([1, 2, 3, 3] + [1] * 12)
    entropy = torch.cat((torch.tensor([0.0, 0.1, 0.2, 0.3]), torch.full((12,), 5.0)))
    accepted = torch.arange(CELLS) < 4
    step = make_consistent(step_of(canvas, entropy, accepted), open_domain(), CONSTRAINT)
    assert step.canvas[0, :4].tolist() == [1, 2, 3, 4]


def test_beliefs_stay_distributions_inside_the_domain() -> None:
    canvas = torch.randint(1, VOCABULARY, (CELLS,))
    accepted = torch.rand(CELLS) < 0.3
    step = make_consistent(step_of(canvas, torch.rand(CELLS), accepted), open_domain(), CONSTRAINT)
    assert torch.allclose(step.belief.sum(dim=-1), torch.ones(1, CELLS), atol=1e-5)
    assert (step.belief[~open_domain()] == 0).all()
