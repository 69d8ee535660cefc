"""DiffusionGemma as it is served: the two passes of ``engine.model`` over many sequences at once.

Sequences lie side by side, each padded to the same number of tokens, and read their past from the
pages of a cache. Every product and every step between products is a kernel of its own, so that a
pass can be captured and a canvas computes the same bits in any company. ``engine.model`` is what it
must equal.

Shapes: B sequences, S tokens of each in a pass, T = B S, D hidden, d head size.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.config import LayerType, ModelConfig
from engine.kernels.add_norm import add_norm
from engine.kernels.embedding import embedding
from engine.kernels.expert_parts import expert_parts
from engine.kernels.gated_gelu import gated_gelu
from engine.kernels.layer_norms import after_attention, after_feedforward
from engine.kernels.rotary_norm import rotary_norm
from engine.kernels.router import choose_experts
from engine.kernels.row_rounding import Rows, floats
from engine.kernels.segment_attention import Segments, segment_attention
from engine.kernels.side_stream import SideStream
from engine.kernels.write_pages import write_pages
from engine.precision.precision import Precision
from engine.rotation import Rotation, rotation_at
from engine.text.kv_cache import KVCache
from engine.text.weights import GatedWeights, LayerWeights, TextWeights


@dataclass(frozen=True, eq=False)
class Past:
    """Where sequences stand in their contexts.

    Attributes:
        cached: int32 [B], positions before this pass.
        pages: int32 [B, W], for each layer type.
    """

    cached: Tensor
    pages: Mapping[LayerType, Tensor]

    def keep(self, rows: Tensor) -> Past:
        """Where the sequences at these indices stand, int64 [B']."""
        return Past(self.cached[rows], {kind: table[rows] for kind, table in self.pages.items()})


@dataclass(frozen=True, eq=False)
class _Pass:
    """What every layer of a pass is told."""

    segments: Mapping[LayerType, Segments]
    rotations: Mapping[LayerType, Rotation]
    causal: bool


class TextNetwork:
    """Weights and a cache at work."""

    def __init__(self, config: ModelConfig, weights: TextWeights, cache: KVCache) -> None:
        self.config = config
        self.weights = weights
        self.cache = cache
        # Rounded to the weights' dtype before the product, as the checkpoint was trained.
        scale = torch.tensor(math.sqrt(config.hidden_size), dtype=weights.dtype)
        self._embed_scale = float(scale)
        self._aside = SideStream(weights.device)
        self._rounded = weights.precision is Precision.FP8

    def encode(self, tokens: Tensor, lengths: Tensor, past: Past) -> None:
        """Run the causal pass and write its keys and values into the cache.

        Args:
            tokens: int64 [B, S], what follows each sequence's past, padded on the right.
            lengths: int32 [B], the tokens of each that are no padding.
            past: where the sequences stand.
        """
        run = self._run(tokens, lengths, past, causal=True)
        x = self._embed(tokens.flatten())
        h = self._first_norm(x)
        last = len(self.weights.layers) - 1
        for index, layer in enumerate(self.weights.layers):
            q, k, v = self._project(h, layer, run)
            if index < last:
                x, h = self._finish(x, self._attend(q, k, v, index, run), index, run)
            self._write(k, v, index, run)

    def decode(self, canvas: Tensor, signal: Tensor, lengths: Tensor, past: Past) -> Tensor:
        """Run the bidirectional pass over canvases: hidden states [B, S, D], normed.

        Args:
            canvas: int64 [B, S], padded on the right.
            signal: [B, S, D], the soft embedding of the step before, not scaled; zeros for none.
            lengths: int32 [B], the positions of each that are no padding.
            past: where the sequences stand.
        """
        run = self._run(canvas, lengths, past, causal=False)
        eps = self.config.rms_norm_eps
        _, told = add_norm(
            signal.flatten(0, 1) * self._embed_scale,
            self.weights.conditioning_norm,
            eps,
            rounded=self._rounded,
        )
        conditioning = self._gated(told, self.weights.conditioning)
        x = floats(add_norm(conditioning, None, eps, self._embed(canvas.flatten()))[1])
        h = self._first_norm(x)
        for index, layer in enumerate(self.weights.layers):
            q, k, v = self._project(h, layer, run)
            x, h = self._finish(x, self._attend(q, k, v, index, run), index, run)
        return floats(h).view(*canvas.shape, -1)

    def head(self, hidden: Tensor) -> Tensor:
        """Hidden states [N, D] -> logits before their softcap, [N, V], in the same dtype."""
        return self.weights.embeddings.product(hidden)

    def _run(self, tokens: Tensor, lengths: Tensor, past: Past, *, causal: bool) -> _Pass:
        batch, size = tokens.shape
        device = tokens.device
        starts = torch.arange(batch, dtype=torch.int32, device=device) * size
        positions = past.cached[:, None] + torch.arange(size, device=device)
        rotations = {
            layer.layer_type: self._rotation(layer.layer_type, layer.head_dim, positions)
            for layer in {x.layer_type: x for x in self.config.layers}.values()
        }
        segments = {
            kind: Segments(starts, lengths, past.cached, pages, size)
            for kind, pages in past.pages.items()
        }
        return _Pass(segments, rotations, causal)

    def _rotation(self, kind: LayerType, width: int, positions: Tensor) -> Rotation:
        rope = self.config.rope[kind]
        cos, sin = rotation_at(positions.flatten(), rope, width, self.weights.dtype)
        return cos, sin

    def _embed(self, tokens: Tensor) -> Tensor:
        return embedding(tokens, self.weights.embeddings.values, self._embed_scale)

    def _first_norm(self, x: Tensor) -> Rows:
        """What the first layer projects: [T, D]."""
        first = self.weights.layers[0].input_norm
        return add_norm(x, first, self.config.rms_norm_eps, rounded=self._rounded)[1]

    def _following(self, index: int) -> Tensor:
        """The weights of the norm that reads what layer ``index`` leaves."""
        layers = self.weights.layers
        return layers[index + 1].input_norm if index + 1 < len(layers) else self.weights.norm

    def _project(self, h: Rows, layer: LayerWeights, run: _Pass) -> tuple[Tensor, Tensor, Tensor]:
        heads = layer.heads
        return rotary_norm(
            layer.qkv.product(h),
            heads.q,
            heads.k,
            self.config.rms_norm_eps,
            run.rotations[layer.kind],
            heads=self.config.num_attention_heads,
            kv_heads=heads.kv_heads,
        )

    def _attend(self, q: Tensor, k: Tensor, v: Tensor, index: int, run: _Pass) -> Tensor:
        layer, pages = self.weights.layers[index], self.cache.layers[index]
        window = self.config.sliding_window if layer.kind == "sliding_attention" else None
        segments = run.segments[layer.kind]
        heads = segment_attention(q, k, v, *pages, segments, causal=run.causal, window=window)
        return layer.out.product(heads.flatten(1))

    def _finish(self, x: Tensor, attended: Tensor, index: int, run: _Pass) -> tuple[Tensor, Rows]:
        """The residual after a layer, and its norm for the next one: [T, D] each."""
        layer = self.weights.layers[index]
        into = after_attention(x, attended, layer.norms, rounded=self._rounded)
        # The dense MLP fills a GPU for a moment, the experts' weights take long to read.
        dense = self._aside.start(lambda: self._gated(into.dense, layer.mlp))
        visits = choose_experts(
            into.router, layer.router, layer.per_expert_scale, self.config.top_k_experts
        )
        parts = expert_parts(into.routed, *visits, layer.experts.gate_up, layer.experts.down)
        self._aside.join()
        scalar = layer.encoder_scalar if run.causal else layer.decoder_scalar
        return after_feedforward(
            into.x,
            dense,
            parts,
            layer.norms,
            scalar,
            self._following(index),
            rounded=self._rounded and index + 1 < len(self.weights.layers),
        )

    def _write(self, k: Tensor, v: Tensor, index: int, run: _Pass) -> None:
        segments = run.segments[self.weights.layers[index].kind]
        write_pages(k, v, *self.cache.layers[index], segments)

    def _gated(self, x: Rows, mlp: GatedWeights) -> Tensor:
        return mlp.down.product(gated_gelu(mlp.gate_up.product(x), rounded=self._rounded))
