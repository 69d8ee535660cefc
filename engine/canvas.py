"""What goes into the engine and what comes out: requests, drafts, results.

L is the length of the canvas, V the size of the vocabulary.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from engine.domain import ANYTHING, Domain
from engine.relations import Relations

if TYPE_CHECKING:  # constraints compute with torch, which those who only ask do not need
    from engine.constraints import Constraint

Tokens = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float32]

#: In ``CanvasRequest.clamps``: this position is free.
FREE = -1
MAX_STEPS_LIMIT = 4096


class CanvasError(ValueError):
    """A canvas that cannot be denoised.

    Attributes:
        field: the request's field at fault, dotted, with an index where one applies.
    """

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field
        self.message = message


class FinishReason(enum.Enum):
    """Why a canvas left the batch."""

    STABLE = "stable"
    """The draft did not change and mean entropy fell below the confidence threshold."""
    SATISFIED = "satisfied"
    """The draft satisfies the request's constraint."""
    MAX_STEPS = "max_steps"
    """The step budget is spent."""
    CONTRADICTION = "contradiction"
    """Propagation proved, before the first step, that the domains have no completion."""


@dataclass(frozen=True, kw_only=True)
class SamplingParams:
    """The knobs of denoising; defaults are DiffusionGemma's.

    Attributes:
        max_steps: denoising steps, 1 to 4096.
        t_min: temperature at the last step of the schedule, above 0.
        t_max: temperature at the first step.
        entropy_bound: nats; more accepts more tokens a step, above 0.
        stability: how many earlier drafts the latest one must equal to stop; 0 asks for none.
        confidence: mean entropy, nats, below which a stable canvas stops; 0 never stops.
    """

    max_steps: int = 48
    t_min: float = 0.4
    t_max: float = 0.8
    entropy_bound: float = 0.1
    stability: int = 1
    confidence: float = 0.005

    def __post_init__(self) -> None:
        checks = [
            ("max_steps", self.max_steps, 1 <= self.max_steps <= MAX_STEPS_LIMIT, "1 to 4096"),
            ("t_min", self.t_min, 0.01 <= self.t_min <= 10, "0.01 to 10"),
            ("t_max", self.t_max, self.t_min <= self.t_max <= 10, f"{self.t_min} (t_min) to 10"),
            ("entropy_bound", self.entropy_bound, 0 < self.entropy_bound <= 1e4, "above 0, to 1e4"),
            ("stability", self.stability, 0 <= self.stability <= 8, "0 to 8"),
            ("confidence", self.confidence, 0 <= self.confidence <= 100, "0 to 100"),
        ]
        for name, value, fine, accepted in checks:
            if not fine:
                raise CanvasError(f"sampling.{name}", f"got {value}, accepted: {accepted}")


@dataclass(frozen=True, kw_only=True, eq=False)
class CanvasRequest:
    """One canvas to denoise.

    Attributes:
        clamps: int64 [L], the fixed token of each position or ``FREE``.
        domain: the tokens each position may take; None allows all of them.
        relations: of the layout; share one object between requests of one layout, because
            canvases are batched by it.
        constraint: couples positions; a canvas whose draft satisfies it leaves at once.
        guided: whether the constraint also prunes domains and projects the belief (PROPAGATE).
        sampling: the knobs.
        seed: of the noise, any int64.
        candidate: index of this canvas among those with the same seed.
        prompt: tokens before the canvas, of a text model.
        wants_belief: whether the result carries the last belief.
        group: of canvases that belong together, such as the candidates of one problem: they share
            their part of the batch, so that others find a place. 0 belongs to none.
    """

    clamps: Tokens
    domain: Domain | None = None
    relations: Relations | None = None
    constraint: Constraint | None = None
    guided: bool = False
    sampling: SamplingParams = field(default_factory=SamplingParams)
    seed: int = 0
    candidate: int = 0
    prompt: tuple[int, ...] = ()
    wants_belief: bool = False
    group: int = 0

    @property
    def length(self) -> int:
        """L."""
        return len(self.clamps)

    def validate(self, vocabulary: int, canvas_length: int) -> None:
        """Check the request against a model.

        Raises:
            CanvasError: naming the field, what was given and what is accepted.
        """
        if not 1 <= self.length <= canvas_length:
            raise CanvasError("length", f"got {self.length}, accepted: 1 to {canvas_length}")
        check_seed(self.seed)
        if self.relations is not None and self.relations.length != self.length:
            raise CanvasError(
                "relations",
                f"cover {self.relations.length} positions, the canvas has {self.length}",
            )
        check_tokens("prompt", self.prompt, vocabulary)
        outside = (self.clamps < FREE) | (self.clamps >= vocabulary)
        if outside.any():
            at = int(outside.argmax())
            raise CanvasError(f"clamps[{at}]", _token_message(int(self.clamps[at]), vocabulary))
        if self.domain is not None:
            self._validate_domain(self.domain, vocabulary)

    def _validate_domain(self, domain: Domain, vocabulary: int) -> None:
        given = (len(domain.which), domain.vocabulary)
        if given != (self.length, vocabulary):
            raise CanvasError("domain", f"shape {given}, expected ({self.length}, {vocabulary})")
        outside = (domain.which < ANYTHING) | (domain.which >= len(domain.packed))
        if outside.any():
            at = int(outside.argmax())
            raise CanvasError(
                f"domain[{at}]", f"set {domain.which[at]}, accepted: -1 to {len(domain.packed) - 1}"
            )
        filled = np.append(domain.packed.any(axis=1), True)
        empty = (domain.which != ANYTHING) & ~filled[domain.which]
        if empty.any():
            raise CanvasError(f"domain[{int(empty.argmax())}]", "allows no token")
        clamped = np.flatnonzero(self.clamps != FREE)
        barred = clamped[~domain.allows(clamped, self.clamps[clamped])]
        if len(barred):
            at = int(barred[0])
            raise CanvasError(f"clamps[{at}]", f"token {self.clamps[at]} is outside the domain")

    def full_domain(self, vocabulary: int) -> Mask:
        """Bool [L, V]: the domain, with a clamp as a domain of one."""
        domain = (
            np.ones((self.length, vocabulary), np.bool_)
            if self.domain is None
            else self.domain.mask()
        )
        clamped = np.flatnonzero(self.clamps != FREE)
        domain[clamped] = False
        domain[clamped, self.clamps[clamped]] = True
        return domain


def check_seed(seed: int) -> None:
    """Refuse what is no 64-bit integer. Raises: CanvasError."""
    if not -(2**63) <= seed < 2**63:
        raise CanvasError("seed", f"got {seed}, accepted: a 64-bit integer")


def check_tokens(field: str, tokens: Sequence[int], vocabulary: int) -> None:
    """Refuse tokens that the model does not know. Raises: CanvasError."""
    for index, token in enumerate(tokens):
        if not 0 <= token < vocabulary:
            raise CanvasError(f"{field}[{index}]", _token_message(token, vocabulary))


def _token_message(token: int, vocabulary: int) -> str:
    return f"token {token} is outside the vocabulary, accepted: 0 to {vocabulary - 1}"


@dataclass(frozen=True, eq=False)
class Draft:
    """The canvas after a step, before it is final.

    Attributes:
        step: steps taken, from 1.
        tokens: int64 [L], the argmax canvas; clamps hold their token.
        accepted: bool [L].
        entropy: float32 [L], nats.
    """

    step: int
    tokens: Tokens
    accepted: Mask
    entropy: Floats


@dataclass(frozen=True, eq=False)
class CanvasResult:
    """A canvas that left the batch.

    Attributes:
        tokens: int64 [L], the last argmax canvas.
        entropy: float32 [L], nats, at the last step.
        candidate_mass: float32 [L], the share of the model's own probability, before domains,
            that lay on the position's domain at the last step; 1 where that is one token.
        reason: why it left.
        steps: decoder passes spent on it.
        queue_ms: from submission to admission.
        compute_ms: from admission to departure.
        belief: float32 [L, V] at the last step, if the request wanted it.
    """

    tokens: Tokens
    entropy: Floats
    candidate_mass: Floats
    reason: FinishReason
    steps: int
    queue_ms: float
    compute_ms: float
    belief: Floats | None = None
