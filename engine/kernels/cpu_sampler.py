"""``engine.sampler.denoise_step`` on the CPU in one pass over the cells, without temporaries.

It draws from the same counters and so draws the same tokens. Logarithms and exponentials are taken
in float64 and rounded to float32 where the reference holds a float32, so that floats agree to 1e-6
and two tokens can only change places when their noisy scores agree to the last digits of a float32
(about one draw in a million). A canvas never depends on its batch here either.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numba import njit
from torch import Tensor

from engine.noise import CounterNoise
from engine.sampler import Projection, StepResult, StepSettings

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1, _MIX_2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_30, _27, _31, _41 = (np.uint64(shift) for shift in (30, 27, 31, 41))
_STREAMS, _TOKEN, _RENOISE = np.uint64(4), np.uint64(0), np.uint64(1)
_HALF, _SCALE = np.float32(0.5), np.float32(2.0**-23)
_NOWHERE = -math.inf


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
    belief, mass = torch.empty_like(logits), torch.ones(logits.shape[:-1])
    allowed = _allowed(domain, logits)
    temperature = settings.temperature.float().contiguous().numpy()
    _believe(logits.contiguous().numpy(), allowed, temperature, belief.numpy(), mass.numpy())
    if project is not None:
        belief = project(belief)
    return _draw(belief, mass, allowed, settings.entropy_bound, noise)


def _draw(
    belief: Tensor, mass: Tensor, allowed: np.ndarray, bound: Tensor, noise: CounterNoise
) -> StepResult:
    """All that follows from a belief."""
    shape = belief.shape[:-1]
    canvas, draft = (torch.empty(shape, dtype=torch.int64) for _ in range(2))
    accepted, entropy = torch.empty(shape, dtype=torch.bool), torch.empty(shape)
    _draw_canvases(
        belief.contiguous().numpy(),
        allowed,
        bound.float().contiguous().numpy(),
        noise.keys.contiguous().numpy().view(np.uint64),
        noise.steps.contiguous().numpy().view(np.uint64),
        (canvas.numpy(), draft.numpy(), accepted.numpy(), entropy.numpy()),
    )
    return StepResult(belief, canvas, draft, accepted, entropy, mass)


def _allowed(domain: Tensor | None, logits: Tensor) -> np.ndarray:
    """The domain, or an array without tokens that stands for all."""
    if domain is None:
        return np.zeros((*logits.shape[:2], 0), np.bool_)
    return domain.contiguous().numpy()


@njit(cache=True, nogil=True)
def _believe(logits, allowed, temperature, belief, mass):  # type: ignore[no-untyped-def]
    """The softmax over each domain, and the share of the whole softmax that lies on it."""
    batch, length, vocabulary = logits.shape
    restricted = allowed.shape[2] > 0
    for b in range(batch):
        for at in range(length):
            top, top_inside = _NOWHERE, _NOWHERE
            for v in range(vocabulary):
                scaled = logits[b, at, v] / temperature[b]
                belief[b, at, v] = scaled
                top = max(top, scaled)
                if not restricted or allowed[b, at, v]:
                    top_inside = max(top_inside, scaled)
            inside, outside = 0.0, 0.0
            for v in range(vocabulary):
                scaled = np.float64(belief[b, at, v])
                if not restricted or allowed[b, at, v]:
                    share = math.exp(scaled - top_inside)
                    inside += share
                    belief[b, at, v] = share
                else:
                    outside += math.exp(scaled - top)
                    belief[b, at, v] = 0
            for v in range(vocabulary):
                belief[b, at, v] = belief[b, at, v] / inside
            if restricted:
                inside *= math.exp(top_inside - top)
                mass[b, at] = inside / (inside + outside)


@njit(cache=True, nogil=True)
def _draw_canvases(belief, allowed, bounds, keys, steps, out):  # type: ignore[no-untyped-def]
    """Sample, accept and renoise every canvas; ``out``: canvas, draft, accepted, entropy."""
    canvas, draft, accepted, entropy = out
    length = belief.shape[1]
    for b in range(len(belief)):
        fresh = _key(keys[b], steps[b], _RENOISE)
        tokens = _key(keys[b], steps[b], _TOKEN)
        _sample(belief[b], tokens, canvas[b], draft[b], entropy[b])
        _accept(entropy[b], bounds[b], accepted[b])
        for at in range(length):
            if not accepted[b, at]:
                draw = _uniform(fresh, at)
                canvas[b, at] = _pick(draw, allowed[b, at], belief.shape[2])


@njit(cache=True, nogil=True)
def _sample(belief, key, canvas, draft, entropy):  # type: ignore[no-untyped-def]
    """A draw from each position's belief by Gumbel's trick, the likeliest token, the entropy."""
    length, vocabulary = belief.shape
    for at in range(length):
        best, best_score, likeliest, total = 0, np.float32(_NOWHERE), 0, 0.0
        for v in range(vocabulary):
            p = belief[at, v]
            if p > belief[at, likeliest]:
                likeliest = v
            if p > 0:
                log_p = np.float32(math.log(np.float64(p)))
                total += np.float64(p) * np.float64(log_p)
                score = log_p + _gumbel(_uniform(key, at * vocabulary + v))
                if score > best_score:
                    best, best_score = v, score
        canvas[at], draft[at], entropy[at] = best, likeliest, -total


@njit(cache=True, nogil=True)
def _accept(entropy, bound, accepted):  # type: ignore[no-untyped-def]
    """By rising entropy while the sum of those before stays within the bound."""
    so_far = 0.0
    for at in np.argsort(entropy, kind="mergesort"):
        so_far += entropy[at]
        accepted[at] = np.float32(so_far) - entropy[at] <= bound


@njit(cache=True, nogil=True)
def _pick(draw, allowed, vocabulary):  # type: ignore[no-untyped-def]
    """Turn a draw in (0, 1) into a token of the domain, all alike."""
    if len(allowed) == 0:
        return np.int64(draw * np.float32(vocabulary))
    rank = np.int64(draw * np.float32(np.sum(allowed)))
    for v in range(vocabulary):
        if allowed[v]:
            if rank == 0:
                return v
            rank -= 1
    return 0


@njit(cache=True, nogil=True)
def _gumbel(uniform):  # type: ignore[no-untyped-def]
    inner = np.float32(-math.log(np.float64(uniform)))
    return np.float32(-math.log(np.float64(inner)))


@njit(cache=True, nogil=True)
def _key(key, step, kind):  # type: ignore[no-untyped-def]
    """See ``CounterNoise``."""
    return _mix(key + (step * _STREAMS + kind) * _GOLDEN)


@njit(cache=True, nogil=True)
def _uniform(key, count):  # type: ignore[no-untyped-def]
    bits = _mix(key + np.uint64(count + 1) * _GOLDEN)
    return (np.float32(bits >> _41) + _HALF) * _SCALE


@njit(cache=True, nogil=True)
def _mix(x):  # type: ignore[no-untyped-def]
    """SplitMix64's finaliser; see ``engine.noise``."""
    x = (x ^ (x >> _30)) * _MIX_1
    x = (x ^ (x >> _27)) * _MIX_2
    return x ^ (x >> _31)
