"""Step-level continuous batching: canvases are admitted, stepped and depart at step boundaries.

A batch holds canvases of one layout, each at a step of its own. Knows tensors and tickets; knows
no threads (``engine.engine`` drives it), and no prompts, which text models have (``engine.text``).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Generic

import torch
from torch import Tensor

from engine.batch_context import BatchContext, guide_by, rule_of
from engine.batch_state import BatchState, first_state
from engine.canvas import CanvasRequest, CanvasResult, Draft, FinishReason, Mask
from engine.canvas_rows import reason
from engine.guidance import Guide
from engine.layout import Layout
from engine.model import DiffusionGemma
from engine.sampler import Projection, StepResult
from engine.stepper import EagerStepper, Stepper
from engine.ticket import Departure, StepOutcome, T, Ticket


class CanvasBatch(Generic[T]):
    """The running canvases of one layout on one model."""

    def __init__(self, model: DiffusionGemma, layout: Layout, fast: Stepper | None = None) -> None:
        """Start empty.

        Args:
            model: the network.
            layout: of every canvas to come.
            fast: takes the steps; None for the reference.
        """
        self.model = model
        self.layout = layout
        self._stepper = fast or EagerStepper(model)
        self.tickets: list[T] = []
        self._state: BatchState | None = None
        self._context: BatchContext | None = None

    def __len__(self) -> int:
        return len(self.tickets)

    @torch.inference_mode()
    def admit(self, tickets: Sequence[T]) -> list[Departure[T]]:
        """Take canvases of this layout in; those whose domains contradict the rule depart."""
        now = time.monotonic()
        for ticket in tickets:
            ticket.admitted = now
        requests = [t.request for t in tickets]
        domain, possible = self._domains(requests)
        config = self.model.config
        state = first_state(
            requests,
            self.layout.length,
            domain,
            config.first_belief,
            config.vocab_size,
            self.model.device,
        )
        refused = [
            _contradicted(t, state, i) for i, t in enumerate(tickets) if not bool(possible[i])
        ]
        staying = possible.nonzero().squeeze(-1)
        if len(staying):
            self._extend(state.keep(staying), [tickets[i] for i in staying.tolist()])
        return refused

    @torch.inference_mode()
    def step(self) -> StepOutcome[T]:
        """Drop cancelled canvases, take one denoising step, let the finished depart."""
        self._drop_cancelled()
        state = self._state
        if state is None or not self.tickets:
            return StepOutcome((), ())
        step = self._denoise(state)
        self._state = state = state.after(step)
        reasons = self._finished(state, step)
        outcome = StepOutcome(self._drafts(state, step), self._departures(state, step, reasons))
        self._retain([i for i, why in enumerate(reasons) if why is None])
        return outcome

    def _domains(self, requests: Sequence[CanvasRequest]) -> tuple[Tensor | None, Tensor]:
        """Domains [B, L, V], pruned where guided, and which canvases still have one everywhere."""
        device = self.model.device
        possible = torch.ones(len(requests), dtype=torch.bool, device=device)
        if not self.layout.restricted:
            return None, possible
        vocabulary, length = self.model.config.vocab_size, self.layout.length
        domain = torch.stack([_padded(r.full_domain(vocabulary), length) for r in requests])
        domain = domain.to(device)
        guided = [i for i, r in enumerate(requests) if r.guided]
        if guide := self._guide_for([requests[i] for i in guided]):
            rows = torch.tensor(guided, device=device)
            pruned = guide.prune(domain[rows])
            possible[rows] = pruned.any(dim=-1).all(dim=-1)
            domain[rows] = torch.where(possible[rows][:, None, None], pruned, domain[rows])
        return domain, possible

    def _guide_for(self, requests: Sequence[CanvasRequest]) -> Guide | None:
        """What guides these canvases; None if there are none, or no rule."""
        if not requests:
            return None
        if self.layout.fixed and self._context is not None:
            return self._context.guide
        rule = rule_of(self.layout, requests, self.model.device)
        return None if rule is None else guide_by(rule, self.model)

    def _extend(self, state: BatchState, tickets: list[T]) -> None:
        self._state = state if self._state is None else self._state.join(state)
        self.tickets += tickets
        if not self.layout.fixed:
            self._context = None

    def _surroundings(self) -> BatchContext:
        """The context of the present members."""
        if self._context is None:
            requests = [t.request for t in self.tickets]
            self._context = BatchContext.of(self.model, self.layout, requests)
        return self._context

    def _denoise(self, state: BatchState) -> StepResult:
        context = self._surroundings()
        plan, guide = context.plan, context.guide
        if guide is None or not bool(state.guided.any()):
            return self._stepper.step(state, plan, None)
        step = self._stepper.step(state, plan, _projection(guide, state.guided))
        return step if state.domain is None else _dive(guide, step, state, state.domain)

    def _finished(self, state: BatchState, step: StepResult) -> list[FinishReason | None]:
        """Why each canvas leaves now, or None."""
        settled, spent = state.ends(step.entropy)
        satisfied, rule = torch.zeros_like(spent), self._surroundings().rule
        if rule is not None:
            satisfied = rule.violations(step.draft) == 0
        flags = zip(satisfied.tolist(), settled.tolist(), spent.tolist(), strict=True)
        return [reason(*flag) for flag in flags]

    def _drafts(self, state: BatchState, step: StepResult) -> list[tuple[T, Draft]]:
        if not any(t.wants_drafts for t in self.tickets):
            return []
        steps = state.steps.tolist()
        shown = [x.cpu().numpy() for x in (step.draft, step.accepted, step.entropy)]
        return [
            (ticket, Draft(steps[i], *(x[i, : ticket.request.length] for x in shown)))
            for i, ticket in enumerate(self.tickets)
            if ticket.wants_drafts
        ]

    def _departures(
        self, state: BatchState, step: StepResult, reasons: Sequence[FinishReason | None]
    ) -> list[Departure[T]]:
        now, steps = time.monotonic(), state.steps.tolist()
        return [
            Departure(ticket, _result(ticket, step, i, why, steps[i], now))
            for i, (ticket, why) in enumerate(zip(self.tickets, reasons, strict=True))
            if why is not None
        ]

    def _drop_cancelled(self) -> None:
        self._retain([i for i, ticket in enumerate(self.tickets) if not ticket.cancelled])

    def _retain(self, rows: list[int]) -> None:
        if len(rows) == len(self.tickets) or self._state is None:
            return
        self.tickets = [self.tickets[i] for i in rows]
        index = torch.tensor(rows, dtype=torch.int64, device=self.model.device)
        if self._context is not None and not self.layout.fixed:
            self._context = self._context.keep(index) if rows else None
        self._state = self._state.keep(index) if rows else None


def _padded(domain: Mask, length: int) -> Tensor:
    """A domain [n, V] as [length, V]; padding has token 0 alone."""
    padded = torch.zeros(length, domain.shape[1], dtype=torch.bool)
    padded[:, 0] = True
    padded[: len(domain)] = torch.from_numpy(domain)
    return padded


def _projection(guide: Guide, guided: Tensor) -> Projection:
    """Project the belief of the canvases that are guided, bool [B]."""
    return lambda belief: torch.where(guided[:, None, None], guide.project(belief), belief)


def _dive(guide: Guide, step: StepResult, state: BatchState, domain: Tensor) -> StepResult:
    """Let the canvases that are guided dive."""
    rows = state.guided.nonzero().squeeze(-1)
    gumbel = state.noise.keep(rows).gumbel(*step.belief.shape[1:])
    if len(rows) < len(state):
        guide = guide.keep(rows)
    return step.replace_rows(rows, guide.dive(step.keep(rows), domain[rows], gumbel))


def _result(
    ticket: Ticket[CanvasRequest],
    step: StepResult,
    row: int,
    why: FinishReason,
    steps: int,
    now: float,
) -> CanvasResult:
    own = (row, slice(ticket.request.length))  # without padding
    return CanvasResult(
        tokens=step.draft[own].cpu().numpy(),
        entropy=step.entropy[own].cpu().numpy(),
        candidate_mass=step.candidate_mass[own].cpu().numpy(),
        reason=why,
        steps=steps,
        queue_ms=ticket.queue_ms,
        compute_ms=ticket.compute_ms(now),
        belief=step.belief[own].cpu().numpy() if ticket.request.wants_belief else None,
    )


def _contradicted(ticket: T, state: BatchState, row: int) -> Departure[T]:
    """The departure of a canvas that has no completion: its starting state, after no step."""
    own = (row, slice(ticket.request.length))
    belief = state.belief[own]
    entropy = -(belief * belief.log().clamp_min(-1e30)).sum(dim=-1)
    result = CanvasResult(
        tokens=state.canvas[own].cpu().numpy(),
        entropy=entropy.cpu().numpy(),
        candidate_mass=torch.ones_like(entropy).cpu().numpy(),
        reason=FinishReason.CONTRADICTION,
        steps=0,
        queue_ms=ticket.queue_ms,
        compute_ms=ticket.compute_ms(time.monotonic()),
        belief=belief.cpu().numpy() if ticket.request.wants_belief else None,
    )
    return Departure(ticket, result)
