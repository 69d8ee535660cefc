"""``engine.guidance`` on the CPU: domains as bit masks, trials one after another, rows alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

import numpy as np
import torch
from numba import njit
from torch import Tensor

from engine.constraints import AllDifferent, AtMostOne, NotEqual, Tour
from engine.constraints.at_most_one import AtMostOneBatch
from engine.constraints.base import BatchConstraint
from engine.constraints.not_equal import NotEqualBatch
from engine.constraints.tour import TourBatch
from engine.guidance import ROUNDS, SHARES, WIDEST_MARGIN, token_scores
from engine.kernels.cpu_all_different import CpuAllDifferent
from engine.kernels.cpu_at_most_one import CpuAtMostOne
from engine.kernels.cpu_gemm import Floats
from engine.kernels.cpu_masks import (
    MAX_TOKENS,
    ONE,
    Masks,
    Rows,
    count_bits,
    first_bit,
    is_single,
    pack,
    unpack,
)
from engine.kernels.cpu_not_equal import CpuNotEqual
from engine.kernels.cpu_tour import CpuTour
from engine.sampler import StepResult


class CpuRule(Protocol):
    """The compiled counterpart of a constraint."""

    def keep(self, rows: Rows) -> CpuRule:
        """The rule of the canvases at these indices, int64 [B']."""

    def prune(self, masks: Masks, rows: Rows) -> None:
        """Do in place to these rows of uint64 [B, L] what ``BatchConstraint.prune`` does.

        A row that is found to have no completion becomes 0 everywhere.
        """


class CpuGuide:
    """An ``engine.guidance.Guide``."""

    def __init__(self, constraint: BatchConstraint, rule: CpuRule) -> None:
        self._constraint = constraint
        self._rule = rule

    def keep(self, rows: Tensor) -> CpuGuide:
        """See ``Guide.keep``."""
        return CpuGuide(self._constraint.keep(rows), self._rule.keep(rows.numpy()))

    def prune(self, domain: Tensor) -> Tensor:
        """See ``BatchConstraint.prune``."""
        masks = _masks(domain)
        self._rule.prune(masks, np.arange(len(masks)))
        pruned = torch.empty_like(domain)
        unpack(masks, pruned.numpy())
        return pruned

    def project(self, belief: Tensor) -> Tensor:
        """See ``BatchConstraint.project``."""
        return self._constraint.project(belief)

    def dive(self, step: StepResult, domain: Tensor, gumbel: Tensor) -> StepResult:
        """See ``Guide.dive``."""
        masks, belief = _masks(domain), step.belief.contiguous().numpy()
        score = token_scores(step.belief, gumbel).contiguous().numpy()
        self._descend(masks, score)
        draft = torch.empty_like(step.draft)
        _read(masks, belief, draft.numpy())
        return replace(step, draft=draft)

    def _descend(self, masks: Masks, score: Floats) -> None:
        """All rounds, in place."""
        taken, trial = np.empty_like(masks), np.empty_like(masks)
        order, counts = np.empty(masks.shape, np.int64), np.empty(len(masks), np.int64)
        running = np.arange(len(masks))
        for _ in range(ROUNDS):
            running = _draw(masks, running, score, taken, order, counts)
            left = running
            for share in (*SHARES, _SINGLE, _WITHOUT):
                if not len(left):
                    break
                _assume(masks, left, taken, order, counts, share, trial)
                self._rule.prune(trial, left)
                left = _keep(trial, left, masks)


#: Instead of a share: the first position takes its token, or loses it.
_SINGLE, _WITHOUT = 0, -1
_LOWEST = np.float32(-np.inf)


def cpu_guide(
    constraint: BatchConstraint, device: torch.device, vocabulary: int
) -> CpuGuide | None:
    """The guide by a constraint on a device; None where only the reference will do."""
    if device.type == "cpu" and vocabulary <= MAX_TOKENS and (rule := _compiled(constraint)):
        return CpuGuide(constraint, rule)
    return None


def _compiled(constraint: BatchConstraint) -> CpuRule | None:
    match constraint:
        case AllDifferent():
            return CpuAllDifferent(constraint)
        case NotEqualBatch():
            return CpuNotEqual.of(constraint)
        case AtMostOneBatch():
            return CpuAtMostOne.of(constraint)
        case TourBatch():
            return CpuTour.of(constraint)
    return None


def compile_guides() -> None:
    """Guide the smallest canvas, so that no caller's first guided step waits for the compiler."""
    cpu, edge = torch.device("cpu"), np.array([[False, True], [True, False]])
    rules = (
        AllDifferent(2, np.array([[0, 1]])),
        NotEqual(edge),
        AtMostOne(edge),
        Tour(edge, False),
    )
    cells, tokens = torch.zeros(1, 2, dtype=torch.int64), torch.full((1, 2, 2), 0.5)
    step = StepResult(tokens, cells, cells, cells > 0, tokens[0], tokens[0])
    for rule in rules:
        guide = cpu_guide(rule.stack((), 2, cpu), cpu, 2)
        assert guide is not None
        guide.dive(step, guide.prune(tokens > 0), tokens)


def _masks(domain: Tensor) -> Masks:
    masks = np.empty(domain.shape[:2], np.uint64)
    pack(domain.contiguous().numpy(), masks)
    return masks


@njit(cache=True, nogil=True)
def _draw(masks, rows, score, taken, order, counts):
    """What undecided positions would take, in which order; returns the rows that have any."""
    running, size = np.empty_like(rows), 0
    positions = np.empty(masks.shape[1], np.int64)
    keys = np.empty(masks.shape[1], np.float64)
    for b in rows:
        count = 0
        for at in range(masks.shape[1]):
            mask = masks[b, at]
            if not is_single(mask):
                token, margin = _winner(mask, score[b, at])
                taken[b, at] = ONE << np.uint64(token)
                positions[count] = at
                keys[count] = count_bits(mask) * WIDEST_MARGIN - np.float64(margin)
                count += 1
        counts[b] = count
        if count:
            order[b, :count] = positions[np.argsort(keys[:count], kind="mergesort")]
            running[size] = b
            size += 1
    return running[:size]


@njit(cache=True, nogil=True)
def _winner(mask, score):
    """The token of a mask with the best score, the first of equals, and what it won by."""
    winner, best, second = 0, _LOWEST, _LOWEST
    while mask:
        token = first_bit(mask)
        mask &= mask - ONE
        if score[token] > best:
            winner, best, second = token, score[token], best
        elif score[token] > second:
            second = score[token]
    return winner, best - second


@njit(cache=True, nogil=True)
def _assume(masks, rows, taken, order, counts, share, trial):
    """Write the masks of ``rows`` to ``trial`` with the first share of tokens taken."""
    for b in rows:
        trial[b] = masks[b]
        if share < 0:
            trial[b, order[b, 0]] &= ~taken[b, order[b, 0]]
        else:
            length = max(1, -(-counts[b] * share // 100))
            for k in range(length):
                trial[b, order[b, k]] = taken[b, order[b, k]]


@njit(cache=True, nogil=True)
def _keep(trial, rows, masks):
    """Take over consistent trials; returns the other rows."""
    left = np.empty_like(rows)
    size = 0
    for b in rows:
        if trial[b, 0]:
            masks[b] = trial[b]
        else:
            left[size] = b
            size += 1
    return left[:size]


@njit(cache=True, nogil=True)
def _read(masks, belief, draft):
    """The likeliest token that is left to each position."""
    for b in range(len(masks)):
        for at in range(masks.shape[1]):
            draft[b, at], _ = _winner(masks[b, at], belief[b, at])
