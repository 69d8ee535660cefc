"""``engine.sampler.denoise_step`` on the CPU in one pass over the cells, without temporaries.

It draws from the same counters and so draws the same tokens. Floats agree to 1e-6; two tokens can
only change places when their noisy scores agree to the last digits of a float32, a few draws in
a million. A canvas never depends on its batch here either.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from numba import njit
from torch import Tensor

from engine.kernels.cpu_noise import stream, uniform, uniforms
from engine.kernels.simd import LANES, add, div, fma, load, maximum, minimum, mul, splat, store, sub
from engine.kernels.simd_functions import exp2, log
from engine.kernels.simd_shuffles import peak, total
from engine.noise import CounterNoise
from engine.sampler import Projection, StepResult, StepSettings

_TOKEN, _RENOISE = np.uint64(0), np.uint64(1)
_ZERO, _ONE, _TINY = np.float32(0), np.float32(1), np.float32(1e-30)
_LOG2_E, _LOWEST, _HIGHEST = np.float32(math.log2(math.e)), np.float32(-126), np.float32(126)
#: A scaled logit of no token at all, in the padding of a row.
_ABSENT = np.float32(-1e30)
#: A token this much less likely than the likeliest loses whatever the 23-bit noise.
_HOPELESS = np.float32(3e-9)
#: Times nearer than this are told apart by the reference's own rounding.
_CLOSE = np.float32(1 + 1e-5)
#: Before the first clock, as times run in ``_race``.
_NEVER = np.float32(-3e38)

_Ints = npt.NDArray[np.int64]
_Drawn = tuple[_Ints, _Ints, npt.NDArray[np.bool_], npt.NDArray[np.float32]]


@dataclass(frozen=True, eq=False)
class CpuSampling:
    """One step's sampling of a batch, any range of whose canvases can be done by any thread.

    Attributes:
        allowed: bool [B, L, V], the domain; [B, L, 0] when every token is allowed.
        temperature, bounds: float32 [B].
        keys, steps: uint64 [B], of the noise.
        belief, mass: float32 [B, L, V] and [B, L], which ``believe`` writes.
        drawn: canvas, draft, accepted and entropy, as in ``StepResult``, which ``draw`` writes.
    """

    allowed: npt.NDArray[np.bool_]
    temperature: npt.NDArray[np.float32]
    bounds: npt.NDArray[np.float32]
    keys: npt.NDArray[np.uint64]
    steps: npt.NDArray[np.uint64]
    belief: npt.NDArray[np.float32]
    mass: npt.NDArray[np.float32]
    drawn: _Drawn

    @classmethod
    def of(
        cls,
        shape: tuple[int, int, int],
        domain: Tensor | None,
        settings: StepSettings,
        noise: CounterNoise,
    ) -> CpuSampling:
        """Make room for a step of logits of this shape, (B, L, V)."""
        cells = shape[:2]
        return cls(
            np.zeros((*cells, 0), np.bool_) if domain is None else domain.contiguous().numpy(),
            settings.temperature.float().contiguous().numpy(),
            settings.entropy_bound.float().contiguous().numpy(),
            noise.keys.contiguous().numpy().view(np.uint64),
            noise.steps.contiguous().numpy().view(np.uint64),
            np.empty(shape, np.float32),
            np.ones(cells, np.float32),
            (
                np.empty(cells, np.int64),
                np.empty(cells, np.int64),
                np.empty(cells, np.bool_),
                np.empty(cells, np.float32),
            ),
        )

    def believe(self, logits: npt.NDArray[np.float32], first: int, last: int) -> None:
        """The belief of canvases ``first`` to ``last`` from their logits, [B, L, V]."""
        _believe(first, last, logits, self.allowed, self.temperature, self.belief, self.mass)

    def projected(self, project: Projection) -> CpuSampling:
        """The same with the belief changed."""
        return replace(self, belief=project(torch.from_numpy(self.belief)).contiguous().numpy())

    def draw(self, first: int, last: int) -> None:
        """All that follows from the belief of canvases ``first`` to ``last``."""
        noise = self.keys, self.steps
        _draw(first, last, self.belief, self.allowed, self.bounds, *noise, self.drawn)

    @property
    def result(self) -> StepResult:
        """What was written, as tensors that share its memory."""
        return StepResult(*map(torch.from_numpy, (self.belief, *self.drawn, self.mass)))


def cpu_denoise_step(
    logits: Tensor,
    domain: Tensor | None,
    settings: StepSettings,
    noise: CounterNoise,
    project: Projection | None = None,
) -> StepResult:
    """What ``engine.sampler.denoise_step`` does, for counter noise and canvases without padding.

    Args:
        logits: softcapped, float32 [B, L, V], on the CPU.
        domain: bool [B, L, V], not empty anywhere; None allows all.
        settings: temperature and entropy bound of each canvas.
        noise: this step's draws.
        project: applied to the belief before anything is drawn from it.
    """
    batch, length, vocabulary = logits.shape
    sampling = CpuSampling.of((batch, length, vocabulary), domain, settings, noise)
    sampling.believe(logits.contiguous().numpy(), 0, len(logits))
    if project is not None:
        sampling = sampling.projected(project)
    sampling.draw(0, len(logits))
    return sampling.result


@njit(cache=True, nogil=True)
def _believe(first, last, logits, allowed, temperature, belief, mass):
    """The softmax over each domain, and the share of the whole softmax that lies on it.

    Logits of a position whose domain is a single token are not read: nobody computes them.
    """
    length, vocabulary = logits.shape[1:]
    restricted = allowed.shape[2] > 0
    size = -(-vocabulary // LANES) * LANES
    row, inside = np.zeros((2, size), np.float32)
    inside[:vocabulary] = 1
    for b in range(first, last):
        for at in range(length):
            if restricted:
                count = 0
                for v in range(vocabulary):
                    inside[v] = allowed[b, at, v]
                    count += allowed[b, at, v]
                if count == 1:
                    for v in range(vocabulary):
                        belief[b, at, v] = inside[v]
                    continue
            for v in range(vocabulary):
                row[v] = logits[b, at, v]
            share = _softmax(row, inside, temperature[b], vocabulary)
            for v in range(vocabulary):
                belief[b, at, v] = row[v]
            if restricted:
                mass[b, at] = share


@njit(cache=True, nogil=True)
def _softmax(row, inside, temperature, vocabulary):
    """The softmax of a row over where ``inside`` is 1, in place; returns the share that lies there.

    Each of both softmaxes is taken less its own maximum, so that neither can vanish.
    """
    for c in range(0, len(row), LANES):
        store(row, c, div(load(row, c), splat(temperature)))
    for v in range(vocabulary, len(row)):
        row[v] = _ABSENT
    top, top_inside = _tops(row, inside)
    everything, domain = splat(_ZERO), splat(_ZERO)
    for c in range(0, len(row), LANES):
        part = mul(_exp(sub(load(row, c), splat(top_inside))), load(inside, c))
        domain = add(domain, part)
        everything = add(everything, _exp(sub(load(row, c), splat(top))))
        store(row, c, part)
    whole = total(domain)
    for c in range(0, len(row), LANES):
        store(row, c, div(load(row, c), splat(whole)))
    return whole * math.exp(np.float64(top_inside) - np.float64(top)) / total(everything)


@njit(cache=True, nogil=True)
def _tops(row, inside):
    """The largest of a row, and the largest where ``inside`` is 1."""
    top, top_inside = splat(_ABSENT), splat(_ABSENT)
    for c in range(0, len(row), LANES):
        scaled, chosen = load(row, c), load(inside, c)
        top = maximum(top, scaled)
        hidden = mul(sub(splat(_ONE), chosen), splat(_ABSENT))
        top_inside = maximum(top_inside, fma(scaled, chosen, hidden))
    return peak(top), peak(top_inside)


@njit(cache=True, nogil=True)
def _exp(x):
    """``exp x``; tokens outside the domain may be likelier than those inside: kept finite."""
    return exp2(minimum(maximum(mul(x, splat(_LOG2_E)), splat(_LOWEST)), splat(_HIGHEST)))


@njit(cache=True, nogil=True)
def _draw(first, last, belief, allowed, bounds, keys, steps, out):
    """Sample, accept and renoise canvases; ``out``: canvas, draft, accepted, entropy."""
    canvas, draft, accepted, entropy = out
    vocabulary = belief.shape[2]
    row, times = np.zeros((2, -(-vocabulary // LANES) * LANES), np.float32)
    for b in range(first, last):
        fresh = stream(keys[b], steps[b], _RENOISE)
        tokens = stream(keys[b], steps[b], _TOKEN)
        _sample(belief[b], tokens, row, times, canvas[b], draft[b], entropy[b])
        _accept(entropy[b], bounds[b], accepted[b])
        _renoise(accepted[b], fresh, allowed[b], vocabulary, canvas[b])


@njit(cache=True, nogil=True)
def _sample(belief, key, row, times, canvas, draft, entropy):
    """A draw from each position's belief, the likeliest token, the entropy."""
    length, vocabulary = belief.shape
    for at in range(length):
        for v in range(vocabulary):
            row[v] = belief[at, v]
        top, likeliest = _top(row), 0
        while likeliest < vocabulary - 1 and row[likeliest] != top:
            likeliest += 1
        draft[at], entropy[at] = likeliest, _entropy(row)
        floor, alive = top * _HOPELESS, 0
        for v in range(len(row)):
            alive += row[v] > floor
        canvas[at] = likeliest
        if alive > 1:
            canvas[at] = _race(row, times, key, at * vocabulary, vocabulary)


@njit(cache=True, nogil=True)
def _top(row):
    """The largest of a row that ends in zeros."""
    top = splat(_ZERO)
    for c in range(0, len(row), LANES):
        top = maximum(top, load(row, c))
    return peak(top)


@njit(cache=True, nogil=True)
def _entropy(row):
    """In nats, of a row that ends in zeros."""
    sums = splat(_ZERO)
    for c in range(0, len(row), LANES):
        p = load(row, c)
        sums = fma(p, log(maximum(p, splat(_TINY))), sums)
    return max(_ZERO, -total(sums))


@njit(cache=True, nogil=True)
def _race(row, times, key, first, vocabulary):
    """The token whose exponential clock, of rate p, rings first: Gumbel's trick without a log.

    Two that ring at almost the same time are told apart as the reference would. ``times`` is room
    for a row; in it times run backwards from 0.
    """
    best = splat(_NEVER)
    for c in range(0, len(row), LANES):
        rate = maximum(load(row, c), splat(_TINY))
        time = div(log(uniforms(key, first + c)), rate)
        store(times, c, time)
        best = maximum(best, time)
    soonest, winner, close = peak(best), 0, 0
    while winner < vocabulary - 1 and times[winner] != soonest:
        winner += 1
    for v in range(len(row)):
        close += times[v] > soonest * _CLOSE
    if close > 1:
        return _gumbel_winner(row, key, first, vocabulary)
    return winner


@njit(cache=True, nogil=True)
def _gumbel_winner(row, key, first, vocabulary):
    """The argmax of log p plus Gumbel noise, rounded where the reference rounds."""
    best, best_score = 0, np.float32(-math.inf)
    for v in range(vocabulary):
        if row[v] > 0:
            inner = np.float32(-math.log(np.float64(uniform(key, first + v))))
            gumbel = np.float32(-math.log(np.float64(inner)))
            score = np.float32(math.log(np.float64(row[v]))) + gumbel
            if score > best_score:
                best, best_score = v, score
    return best


@njit(cache=True, nogil=True)
def _accept(entropy, bound, accepted):
    """By rising entropy while the sum of those before stays within the bound."""
    so_far = 0.0
    for at in np.argsort(entropy, kind="mergesort"):
        so_far += entropy[at]
        accepted[at] = np.float32(so_far) - entropy[at] <= bound


@njit(cache=True, nogil=True)
def _renoise(accepted, key, allowed, vocabulary, canvas):
    """Put a token of the domain, all alike, where none was accepted."""
    for at in range(len(accepted)):
        if accepted[at]:
            continue
        draw = uniform(key, at)
        if allowed.shape[1] == 0:
            canvas[at] = np.int64(draw * np.float32(vocabulary))
        else:
            canvas[at] = _pick(draw, allowed, at)


@njit(cache=True, nogil=True)
def _pick(draw, allowed, at):
    """Turn a draw in (0, 1) into a token of the domain ``allowed[at]``."""
    count = 0
    for v in range(allowed.shape[1]):
        count += allowed[at, v]
    rank = np.int64(draw * np.float32(count))
    for v in range(allowed.shape[1]):
        if allowed[at, v]:
            if rank == 0:
                return v
            rank -= 1
    return 0
