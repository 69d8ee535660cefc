"""DiffusionGemma's network: one set of weights, two passes.

Encoder pass: causal over the prompt, writes keys and values. Decoder pass: bidirectional over
[cached prompt ; canvas], writes nothing, and is conditioned on the belief of the step before.

Training and small models compute with it. Text models are served by ``engine.text.network``, which
must equal it, prompts included: nothing else calls ``encode``.

Module names follow the Hugging Face checkpoint, so that a tensor's name is its path here.
Shapes: B canvases, L positions, S prompt tokens, V tokens, D hidden, d head size.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.attention import AttentionPlan
from engine.config import LayerConfig, LayerType, ModelConfig
from engine.feed_forward import GatedMLP
from engine.layer import Layer
from engine.rms_norm import RMSNorm
from engine.rotation import Rotation, rotation_at


@dataclass(frozen=True)
class PromptCache:
    """Keys and values of the prompt, one pair a layer, each ``[B, kv heads, S, d]``.

    ``lengths`` [B] is S for each. Sliding layers keep every position and mask the old ones, so that
    S is the same everywhere.
    """

    keys: tuple[Tensor, ...] = ()
    values: tuple[Tensor, ...] = ()
    lengths: Tensor = field(default_factory=lambda: torch.zeros(1, dtype=torch.int64))

    @property
    def width(self) -> int:
        """S."""
        return self.keys[0].shape[2] if self.keys else 0


class SelfConditioning(GatedMLP):
    """Adds what the model believed a step ago to the canvas embeddings, and norms the sum."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config.hidden_size, config.intermediate_size)
        self.pre_norm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.post_norm = RMSNorm(config.hidden_size, config.rms_norm_eps, scale=False)

    def condition(self, embedded: Tensor, signal: Tensor | None) -> Tensor:
        """``embedded`` and ``signal`` [B, L, D] -> [B, L, D]; no signal counts as zero."""
        if signal is not None:
            embedded = embedded + self(self.pre_norm(signal))
        return self.post_norm(embedded)  # type: ignore[no-any-return]  # torch says Any


class DiffusionGemma(nn.Module):
    """The text model: ``encode`` a prompt, ``decode`` a canvas."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size)
        self.self_conditioning = SelfConditioning(config)
        self.layers = nn.ModuleList(Layer(config, layer) for layer in config.layers)
        self.norm = RMSNorm(config.hidden_size, config.rms_norm_eps)

    @property
    def dtype(self) -> torch.dtype:
        """The dtype of weights and activations."""
        return self.embed_tokens.weight.dtype

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.embed_tokens.weight.device

    @torch.no_grad()
    def init_weights(self, generator: torch.Generator, embedding_std: float | None = None) -> None:
        """Draw every matrix from N(0, ``initializer_range``), embeddings from ``embedding_std``."""
        std = self.config.initializer_range
        for name, parameter in self.named_parameters():
            if name.endswith("norm.weight") or "layernorm" in name or "scale" in name:
                continue
            parameter.normal_(0.0, std, generator=generator)
        self.embed_tokens.weight.normal_(0.0, embedding_std or std, generator=generator)

    def encode(
        self, tokens: Tensor, cache: PromptCache | None = None
    ) -> tuple[Tensor, PromptCache]:
        """Run the causal pass and append to the cache.

        Args:
            tokens: int64 [B, S'], the tokens that follow what ``cache`` holds; one length for all.
            cache: what was encoded so far, all of one length; None for nothing.

        Returns:
            The last hidden states [B, S', D] and the cache with S + S' positions.
        """
        batch, added = tokens.shape
        past = 0 if cache is None else cache.width
        positions = torch.arange(past, past + added, device=tokens.device)[None]
        rotations = self._rotations(positions)
        masks = {t: self._causal_mask(t, past, added) for t in self.config.layer_types}
        x = self._embed(tokens)
        keys, values = [], []
        for i, (layer, sizes) in enumerate(zip(self._layers(), self.config.layers, strict=True)):
            kind = sizes.layer_type
            known = self._past(cache, i, sizes, batch)
            x, k, v = layer.encode(x, rotations.get(kind), known, masks[kind])
            keys.append(k)
            values.append(v)
        lengths = torch.full((batch,), past + added, device=tokens.device)
        return self.norm(x), PromptCache(tuple(keys), tuple(values), lengths)

    def decode(
        self,
        canvas: Tensor,
        belief: Tensor | None,
        plan: AttentionPlan,
        cache: PromptCache | None = None,
    ) -> Tensor:
        """Run the bidirectional pass over the canvas.

        Args:
            canvas: int64 [B, L].
            belief: the previous step's distribution, float [B, L, V], or None for a zero signal.
            plan: how each layer type attends; see ``engine.attention.plan_attention``.
            cache: the prompt's keys and values; None for no prompt.

        Returns:
            Softcapped logits, float32 [B, L, V].
        """
        batch, length = canvas.shape
        start = torch.zeros(1, dtype=torch.int64, device=canvas.device)
        start = start if cache is None else cache.lengths
        positions = start[:, None] + torch.arange(length, device=canvas.device)[None]
        rotations = self._rotations(positions)
        signal = None if belief is None else self._soft_embed(belief)
        x = self.self_conditioning.condition(self._embed(canvas), signal)
        for i, (layer, sizes) in enumerate(zip(self._layers(), self.config.layers, strict=True)):
            known = self._past(cache, i, sizes, batch)
            x = layer.decode(x, rotations.get(sizes.layer_type), known, plan)
        return self.head(self.norm(x))

    def head(self, hidden: Tensor) -> Tensor:
        """Hidden states [..., D] -> softcapped float32 logits [..., V]."""
        cap = self.config.final_logit_softcapping
        logits = F.linear(hidden, self.embed_tokens.weight).float()
        return torch.tanh(logits / cap) * cap

    def _layers(self) -> Sequence[Layer]:
        return self.layers  # type: ignore[return-value]  # ModuleList is not generic

    def _embed(self, tokens: Tensor) -> Tensor:
        embedded: Tensor = self.embed_tokens(tokens)
        return embedded * self._embed_scale(embedded)

    def _soft_embed(self, belief: Tensor) -> Tensor:
        soft = belief.to(self.dtype) @ self.embed_tokens.weight
        return soft * self._embed_scale(soft)

    def _embed_scale(self, like: Tensor) -> Tensor:
        # Rounded to the weights' dtype before the product, as the checkpoint was trained.
        scale = math.sqrt(self.config.hidden_size)
        return torch.tensor(scale, dtype=like.dtype, device=like.device)

    def _rotations(self, positions: Tensor) -> dict[LayerType, Rotation]:
        if self.config.positions == "none":
            return {}
        widths = {layer.layer_type: layer.head_dim for layer in self.config.layers}
        return {
            kind: rotation_at(positions, self.config.rope[kind], width, self.dtype)
            for kind, width in widths.items()
        }

    def _causal_mask(self, kind: LayerType, past: int, added: int) -> Tensor:
        """Bool [S', S + S']: causal, and within the window in sliding layers."""
        seen = torch.arange(past + added, device=self.device)
        behind = seen[past:, None] - seen[None, :]
        mask = behind >= 0
        return mask & (behind < self.config.sliding_window) if kind == "sliding_attention" else mask

    def _past(
        self, cache: PromptCache | None, index: int, sizes: LayerConfig, batch: int
    ) -> tuple[Tensor, Tensor]:
        if cache is not None and cache.keys:
            return cache.keys[index], cache.values[index]
        shape = (batch, sizes.num_key_value_heads, 0, sizes.head_dim)
        empty = torch.empty(shape, dtype=self.dtype, device=self.device)
        return empty, empty


def parameter_shapes(config: ModelConfig) -> dict[str, tuple[int, ...]]:
    """The name and shape of every parameter and buffer, in order, found without allocating any."""
    with torch.device("meta"):
        model = DiffusionGemma(config)
    return {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
