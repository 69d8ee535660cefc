import torch

from engine.guidance import dive
from engine.sampler import StepResult
from tests.engine.factories import CELLS, CONSTRAINT, LATIN, VOCABULARY

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


def test_a_right_belief_is_read_off() -> None:
    step = dive(
        step_of(belief_in(SOLUTION, torch.full((1, CELLS), 0.9))),
        open_domain(),
        NO_NOISE,
        CONSTRAINT,
    )
    assert step.draft[0].tolist() == SOLUTION.tolist()


def test_less_certain_positions_follow_from_the_certain_ones() -> None:
    wrong = SOLUTION.clone()
    wrong[15] = 2  # the belief is mistaken where it is least sure
    strength = torch.linspace(0.95, 0.5, CELLS)[None]
    step = dive(step_of(belief_in(wrong, strength)), open_domain(), NO_NOISE, CONSTRAINT)
    assert step.draft[0].tolist() == SOLUTION.tolist()


def test_noise_alone_still_dives_to_consistent_squares() -> None:
    batch = 50
    belief = belief_in(SOLUTION, torch.zeros(batch, CELLS))
    gumbel = -torch.log(-torch.log(torch.rand(batch, CELLS, VOCABULARY)))
    step = dive(step_of(belief), open_domain(batch), gumbel, CONSTRAINT)
    assert (CONSTRAINT.violations(step.draft) == 0).sum() > batch // 2


def test_the_draft_never_leaves_the_domain() -> None:
    domain = open_domain() & (torch.rand(1, CELLS, VOCABULARY) < 0.6)
    domain |= torch.nn.functional.one_hot(SOLUTION, VOCABULARY).bool()
    belief = domain / domain.sum(dim=-1, keepdim=True)
    step = dive(step_of(belief), domain, NO_NOISE, CONSTRAINT)
    assert domain.gather(-1, step.draft[..., None]).all()
