"""The on-policy trainer, for any solver's data.

Each update is one decoder pass on the live canvases' current state, cross-entropy on the free
cells, one optimizer step; then the real sampler moves every canvas on with the same logits. So
training sees exactly the states that sampling sees (the lesson of FRM, arXiv 2606.29150).

A run has a wall-clock budget, saves its state as it goes and resumes from it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.attention import plan_attention, plan_own_attention
from engine.checkpoint import save_checkpoint
from engine.model import DiffusionGemma
from engine.relation_batch import RelationBatch
from engine.training.rollout import LiveCanvases, RolloutSettings
from engine.training.source import Lane, Problems


@dataclass(frozen=True, kw_only=True)
class TrainSettings:
    """Optimizer, schedule and bookkeeping.

    Attributes:
        budget_s: wall-clock seconds of training, all resumed parts together; the cosine
            schedule ends with it.
        learning_rate: the peak.
        final_share: of the peak, at the end of the budget.
        warmup_updates: linear warm-up.
        ema_decay: of the averaged weights, which are what is kept.
        save_every_s: seconds between saved states.
        log_every: updates between log records.
        seed: of data, noise and initial weights.
    """

    budget_s: float
    learning_rate: float = 2e-3
    betas: tuple[float, float] = (0.9, 0.98)
    weight_decay: float = 0.1
    final_share: float = 0.05
    warmup_updates: int = 200
    clip: float = 1.0
    ema_decay: float = 0.999
    save_every_s: float = 60.0
    log_every: int = 50
    seed: int = 0
    rollout: RolloutSettings = field(default_factory=RolloutSettings)


@dataclass(frozen=True)
class Progress:
    """One log record: means since the last one."""

    update: int
    elapsed_s: float
    budget_s: float
    loss: float
    solved: float
    learning_rate: float


class Trainer:
    """A model, its averaged copy and the optimizer; ``run`` trains until the budget is spent."""

    def __init__(
        self, model: DiffusionGemma, lanes: Sequence[Lane], settings: TrainSettings
    ) -> None:
        self.model, self.lanes, self.settings = model, tuple(lanes), settings
        self.averaged = deepcopy(model).requires_grad_(False)
        self.optimizer = torch.optim.AdamW(
            _parameter_groups(model, settings.weight_decay),
            lr=settings.learning_rate,
            betas=settings.betas,
        )
        self.update, self.elapsed_s = 0, 0.0

    def save(self, path: Path) -> None:
        """Write everything that ``load`` needs to go on, atomically."""
        state = {
            "model": self.model.state_dict(),
            "averaged": self.averaged.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "update": self.update,
            "elapsed_s": self.elapsed_s,
            "settings": asdict(self.settings),
        }
        scratch = path.with_suffix(".tmp")
        torch.save(state, scratch)
        scratch.replace(path)

    def load(self, path: Path) -> None:
        """Go on from a state that ``save`` wrote.

        Raises:
            ValueError: the file is no such state.
            RuntimeError: the state is of a model of other sizes.
        """
        state = _read_state(path, self.model.device)
        self.model.load_state_dict(state["model"])
        self.averaged.load_state_dict(state["averaged"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.update, self.elapsed_s = state["update"], state["elapsed_s"]

    def export(self, folder: Path) -> None:
        """Write the averaged weights as a checkpoint."""
        save_checkpoint(self.averaged, folder)

    def run(self, state_path: Path | None = None) -> Iterator[Progress]:
        """Train until the budget is spent, yielding a record every ``log_every`` updates."""
        settings, rng = self.settings, np.random.default_rng([self.settings.seed, self.update])
        live = [
            LiveCanvases(lane.source, lane.canvases, settings.rollout, rng, self.model.device)
            for lane in self.lanes
        ]
        losses = [self._loss_function(lane) for lane in self.lanes]
        shares = np.array([lane.share for lane in self.lanes]) / sum(x.share for x in self.lanes)
        clock = _Clock(self.elapsed_s)
        last_save, sums, count = self.elapsed_s, np.zeros(2), 0
        while self.elapsed_s < settings.budget_s:
            lane = int(rng.choice(len(shares), p=shares))
            loss, logits = losses[lane](live[lane])
            rate = self._learn(loss)
            solved = live[lane].advance(logits)
            self.update += 1
            self.elapsed_s = clock.elapsed_s()
            if lane == 0:  # the main lane tells how training goes
                sums += (loss.item(), solved.float().mean().item())
                count += 1
            if count == settings.log_every:
                loss_mean, solved_mean = sums / count
                yield Progress(
                    self.update, self.elapsed_s, settings.budget_s, loss_mean, solved_mean, rate
                )
                sums, count = np.zeros(2), 0
            if state_path and self.elapsed_s - last_save >= settings.save_every_s:
                self.save(state_path)
                last_save = self.elapsed_s
        if state_path:
            self.save(state_path)

    def _loss_function(self, lane: Lane) -> Callable[[LiveCanvases], tuple[Tensor, Tensor]]:
        config, shared = self.model.config, lane.source.relations
        plan = shared and plan_attention(config, shared, self.model.device)

        def forward(canvas: Tensor, belief: Tensor, problems: Problems) -> tuple[Tensor, Tensor]:
            attention = plan or plan_own_attention(config, problems.relations or RelationBatch({}))
            logits = self.model.decode(canvas, belief, attention)
            allowed = logits.masked_fill(~problems.domain, -torch.inf)
            labels = problems.labels.flatten()
            losses = F.cross_entropy(allowed.flatten(0, 1), labels, reduction="none")
            weights = (~problems.clamped).flatten().float()
            return (losses * weights).sum() / weights.sum().clamp_min(1), logits.detach()

        run = torch.compile(forward, dynamic=False) if lane.compiled else forward
        return lambda live: run(live.canvas, live.belief, live.problems)

    def _learn(self, loss: Tensor) -> float:
        settings = self.settings
        rate = settings.learning_rate * _schedule(
            self.update, self.elapsed_s / settings.budget_s, settings
        )
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        nn.utils.clip_grad_norm_(self.model.parameters(), settings.clip)
        self.optimizer.step()
        self._average()
        return rate

    @torch.no_grad()
    def _average(self) -> None:
        # A young average would remember the initial weights; let it forget faster at first.
        decay = min(self.settings.ema_decay, (1 + self.update) / (10 + self.update))
        torch._foreach_lerp_(
            list(self.averaged.parameters()), list(self.model.parameters()), 1 - decay
        )


def _read_state(path: Path, device: torch.device) -> dict[str, Any]:
    try:
        state = torch.load(path, map_location=device, weights_only=True)
    except Exception as error:  # noqa: BLE001  # other bytes make the reader raise anything
        raise ValueError(
            f"{path} is no state of a training run; remove it, or use another folder "
            f"({type(error).__name__})"
        ) from None
    return dict(state)


class _Clock:
    """Wall-clock seconds since it was made, on top of those of earlier runs."""

    def __init__(self, before_s: float) -> None:
        self._origin = time.monotonic() - before_s

    def elapsed_s(self) -> float:
        return time.monotonic() - self._origin


def _schedule(update: int, spent: float, settings: TrainSettings) -> float:
    """Share of the peak learning rate: linear warm-up, then cosine over the budget."""
    warm = min(1.0, (update + 1) / settings.warmup_updates)
    cosine = 0.5 * (1 + math.cos(math.pi * min(1.0, spent)))
    return warm * (settings.final_share + (1 - settings.final_share) * cosine)


def _parameter_groups(model: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Decay matrices; leave norms and scales alone."""
    parameters = list(model.parameters())
    return [
        {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]
