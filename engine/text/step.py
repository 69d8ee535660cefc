"""One denoising step of text canvases, from the pass to the next canvas.

Shapes: B canvases, L positions, N free positions in all, V tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from engine.domain_sets import DomainSets
from engine.kernels.acceptance import accept_and_renoise
from engine.kernels.denoising_head import denoising_head
from engine.kernels.raw_logits import RawLogits
from engine.kernels.soft_embedding import soft_embedding
from engine.kernels.triton_device import runs_triton
from engine.text.network import Past, TextNetwork
from engine.text.state import Moved, TextState, TextStep


@dataclass(frozen=True, eq=False)
class Surroundings:
    """What a step reads and does not change; made anew when the members of a batch change.

    Attributes:
        past: where each canvas's sequence stands.
        cells: int64 [N], the free positions, each as canvas * L + position; may name one twice.
        domain: the tokens each position may take; None allows all.
    """

    past: Past
    cells: Tensor
    domain: DomainSets | None

    @classmethod
    def of(cls, past: Past, free: Tensor, domain: DomainSets | None) -> Surroundings:
        """Of canvases whose free positions are ``free``, bool [B, L]."""
        return cls(past, free.flatten().nonzero().squeeze(-1), domain)

    def keep(self, rows: Tensor, free: Tensor) -> Surroundings:
        """Of the canvases at these indices, int64 [B'], cut to the length of ``free`` [B', L']."""
        domain = None if self.domain is None else self.domain.keep(rows).cut(free.shape[1])
        return Surroundings.of(self.past.keep(rows), free, domain)


def text_step(network: TextNetwork, state: TextState, around: Surroundings) -> TextStep:
    """Take a step: pass, head for the free positions alone, acceptance, soft embeddings."""
    settings, noise = state.settings, state.noise
    hidden = network.decode(state.canvas, state.signal, state.lengths, around.past)
    logits = RawLogits(
        values=network.head(hidden.flatten(0, 1)[around.cells]),
        cells=around.cells,
        length=state.canvas.shape[1],
        softcap=network.config.final_logit_softcapping,
        temperature=settings.temperature,
        domain=around.domain,
    )
    found = denoising_head(logits, state.canvas, noise)
    positions = torch.arange(state.canvas.shape[1], device=state.canvas.device)
    canvas, accepted = accept_and_renoise(
        found.entropy,
        found.sampled,
        settings.entropy_bound,
        noise,
        len(network.weights.embeddings.values),
        around.domain,
        present=positions < state.lengths[:, None],
    )
    canvas = torch.where(state.free, canvas, state.canvas)  # padding stays as it is
    table = network.weights.embeddings.values
    signal = soft_embedding(logits, found.log_sum_exp, state.canvas, table)
    return TextStep(canvas, found.draft, accepted, found.entropy, found.candidate_mass, signal)


class TextStepper(Protocol):
    """Runs a network's two passes for a batch. Each sequence is computed as though alone."""

    def encode(self, pieces: Sequence[Sequence[int]], past: Past) -> None:
        """Encode what follows the past of each sequence: tokens, some of each."""

    def step(self, state: TextState, around: Surroundings) -> Moved:
        """Take a step of every canvas."""


class EagerTextStepper:
    """The reference: one kernel after another.

    Where our own kernels do not run, sequences are computed one by one, without padding: products
    there round as the number of rows has it, and a canvas is to have the same bits in any company.
    """

    def __init__(self, network: TextNetwork) -> None:
        self._network = network
        embeddings = network.weights.embeddings.values
        self._alone = not (embeddings.is_cuda and runs_triton(embeddings))

    def encode(self, pieces: Sequence[Sequence[int]], past: Past) -> None:
        """See ``TextStepper.encode``."""
        if not self._alone:
            self._network.encode(*padded(pieces, self._network.weights.device), past)
            return
        for row, piece in enumerate(pieces):
            tokens, lengths = padded([piece], self._network.weights.device)
            self._network.encode(tokens, lengths, past.keep(torch.tensor([row])))

    def step(self, state: TextState, around: Surroundings) -> Moved:
        """See ``TextStepper.step``."""
        return Moved.by(self._step(state, around), state)

    def _step(self, state: TextState, around: Surroundings) -> TextStep:
        if not self._alone:
            return text_step(self._network, state, around)
        width = state.canvas.shape[1]
        steps = []
        for row, length in enumerate(state.lengths.tolist()):
            own = torch.tensor([row])
            alone = state.keep(own).cut(length)
            step = text_step(self._network, alone, around.keep(own, alone.free))
            steps.append(step.widened(width))
        return TextStep.join(steps)


def padded(pieces: Sequence[Sequence[int]], device: torch.device) -> tuple[Tensor, Tensor]:
    """Tokens as int64 [B, S], padded on the right with token 0, and their numbers, int32 [B]."""
    size = max(map(len, pieces))
    rows = [[*piece, *[0] * (size - len(piece))] for piece in pieces]
    lengths = torch.tensor([len(piece) for piece in pieces], dtype=torch.int32)
    return torch.tensor(rows).to(device), lengths.to(device)
