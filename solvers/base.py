"""What every solver offers, and the words that all of them answer in.

A solver turns a problem into a canvas and a canvas into an answer, and knows how to check one
and how to complete one exactly. The strategy that puts these together is ``solvers.strategy``.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from engine.canvas import CanvasRequest, CanvasResult, Draft, Floats, Tokens
from engine.client import ModelInfo
from solvers.stop import Stop

MAX_CANDIDATES = 256
MAX_STEPS = 1024

P_contra = TypeVar("P_contra", contravariant=True)
A = TypeVar("A")


class Guidance(enum.Enum):
    """What helps the model."""

    AUTO = "auto"
    """NONE first, then PROPAGATE."""
    NONE = "none"
    """Clamps and domains alone."""
    PROPAGATE = "propagate"
    """Constraints prune domains and project the belief at every step."""


class Outcome(enum.Enum):
    """What is known of the problem now."""

    SOLVED = "solved"
    """The answer passed an independent check."""
    UNSATISFIABLE = "unsatisfiable"
    """Proved to have no answer."""
    UNDECIDED = "undecided"
    """The budget is spent; the best draft is returned and is not an answer."""


class Method(enum.Enum):
    """What found the answer, or the proof that there is none."""

    DIFFUSION = "diffusion"
    GUIDED_DIFFUSION = "guided_diffusion"
    LOCAL_SEARCH = "local_search"
    EXACT = "exact"


class EffortError(ValueError):
    """An effort out of range.

    Attributes:
        field: the field at fault.
        message: what was given and what is accepted.
    """

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field
        self.message = message


@dataclass(frozen=True, kw_only=True)
class Effort:
    """How hard to try.

    Attributes:
        max_steps: denoising steps of each candidate, 1 to 1024; None lets the solver choose.
        candidates: canvases denoised for each kind of guidance, 1 to 256; None lets the solver
            choose.
        seed: of the noise; None draws one, which the report names.
        guidance: see ``Guidance``.
        exact_fallback: whether exact completion may follow when diffusion found no answer.
    """

    max_steps: int | None = None
    candidates: int | None = None
    seed: int | None = None
    guidance: Guidance = Guidance.AUTO
    exact_fallback: bool = True

    def __post_init__(self) -> None:
        if self.max_steps is not None and not 1 <= self.max_steps <= MAX_STEPS:
            raise EffortError("max_steps", f"got {self.max_steps}, accepted: 1 to {MAX_STEPS}")
        if self.candidates is not None and not 1 <= self.candidates <= MAX_CANDIDATES:
            raise EffortError(
                "candidates", f"got {self.candidates}, accepted: 1 to {MAX_CANDIDATES}"
            )
        if self.seed is not None and not 0 <= self.seed < 2**63:
            raise EffortError("seed", f"got {self.seed}, accepted: 0 to 2^63 - 1")


@dataclass(frozen=True, kw_only=True)
class Report:
    """How an answer was reached.

    Attributes:
        model: name of the checkpoint.
        weights_digest: sha256 of its weights.
        method: what found the answer or the proof; None when nothing had to run (clues that
            contradict each other) or nothing was found.
        seed: of the noise; the same request with this seed gives the same answer.
        steps: denoising steps of the candidate that answered, or of all when none did.
        candidates: canvases denoised.
        queue_ms: longest wait of a candidate before its first step.
        compute_ms: denoising, checking and completing, without the wait.
    """

    model: str
    weights_digest: str
    method: Method | None
    seed: int
    steps: int
    candidates: int
    queue_ms: float
    compute_ms: float


@dataclass(frozen=True, eq=False)
class CandidateDraft:
    """A draft, and whose it is: which candidate, under which method."""

    candidate: int
    method: Method
    draft: Draft


OnCandidateDraft = Callable[[CandidateDraft], None]


@dataclass(frozen=True)
class Completion(Generic[A]):
    """What exact completion found.

    Attributes:
        outcome: SOLVED with an answer, UNSATISFIABLE, or UNDECIDED when time ran out or the
            search was stopped.
        answer: the answer, if any.
        method: what found it: a solver may search locally before it searches exactly.
    """

    outcome: Outcome
    answer: A | None = None
    method: Method = Method.EXACT


@dataclass(frozen=True)
class Solution(Generic[A]):
    """What ``solvers.strategy.solve`` returns.

    Attributes:
        outcome: what is known.
        answer: checked if ``outcome`` is SOLVED; the best draft if UNDECIDED; None if there was
            nothing to draw from.
        report: how it was reached.
    """

    outcome: Outcome
    answer: A | None
    report: Report


class Solver(Protocol[P_contra, A]):
    """A kind of problem. Implementations hold no state but their defaults."""

    @property
    def default_candidates(self) -> int:
        """Candidates of each kind of guidance when the effort names none."""

    def default_steps(self, method: Method, last: bool) -> int:
        """Denoising steps of a candidate when the effort names none.

        Args:
            method: guided or not.
            last: whether nothing follows when they are spent, neither guidance nor exact search.
        """

    def contradiction(self, problem: P_contra) -> bool:
        """Whether the givens alone contradict each other."""

    def misfit(self, problem: P_contra, model: ModelInfo) -> str | None:
        """Why the model's canvas cannot hold the problem, which then is completed exactly.

        Returns:
            The model's limits and what the problem has, for an error message; None if it fits.
        """

    @property
    def slow_layout(self) -> bool:
        """Whether ``layout`` may take more than some milliseconds: a thread does it then."""

    def layout(self, problem: P_contra) -> CanvasRequest:
        """The canvas of a problem: clamps, domain, relations, constraint, default sampling."""

    def decode(self, problem: P_contra, tokens: Tokens) -> A:
        """A canvas of final tokens [L] -> an answer, right or wrong."""

    def check(self, problem: P_contra, answer: A) -> bool:
        """Whether the answer is right, by code that shares nothing with the model."""

    def complete(
        self, problem: P_contra, belief: Floats | None, seed: int, limit_s: float, stop: Stop
    ) -> Completion[A]:
        """Search exactly, with the model's belief [L, V] as hints; blocks, but heeds ``stop``."""

    def badness(self, problem: P_contra, result: CanvasResult) -> float:
        """Orders drafts that are no answers; the least is returned when undecided."""
