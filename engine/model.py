"""DiffusionGemma's network: one set of weights, two passes.

Encoder pass: causal over the prompt, writes keys and values. Decoder pass: bidirectional over
[cached prompt ; canvas], writes nothing, and is conditioned on the belief of the step before.

Training and small models compute with it. Text models are served by ``engine.text.network``, which
must equal it, prompts included: nothing else calls ``encode``.

Module names follow the Hugging Face checkpoint, so that a tensor's name is its path here.
Shapes: B canvases, L positions, S prompt tokens, V tokens, D hidden, H heads, d head size.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.attention import AttentionPlan, attend
from engine.config import LayerConfig, LayerType, ModelConfig, RopeConfig

Rotation = tuple[Tensor, Tensor]  # cos, sin: each [B or 1, L, d]


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


class RMSNorm(nn.Module):
    """Root-mean-square norm, computed in float32, over the last dimension."""

    weight: nn.Parameter | None

    def __init__(self, size: int, eps: float, *, scale: bool = True) -> None:
        super().__init__()
        self.eps = eps
        self.size = size
        self.weight = nn.Parameter(torch.ones(size)) if scale else None

    def forward(self, x: Tensor) -> Tensor:
        """Normalise ``x`` [..., size]."""
        weight = None if self.weight is None else self.weight.float()
        return F.rms_norm(x.float(), (self.size,), weight, self.eps).type_as(x)


class GatedMLP(nn.Module):
    """``down(gelu(gate(x)) * up(x))`` with the tanh form of gelu."""

    def __init__(self, hidden: int, intermediate: int) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(hidden, intermediate, bias=False)
        self.up_proj = nn.Linear(hidden, intermediate, bias=False)
        self.down_proj = nn.Linear(intermediate, hidden, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """``x`` [..., D] -> [..., D]."""
        gated: Tensor = F.gelu(self.gate_proj(x), approximate="tanh") * self.up_proj(x)
        return self.down_proj(gated)  # type: ignore[no-any-return]


class Router(nn.Module):
    """Chooses the experts of each token from the raw residual."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.top_k = config.top_k_experts
        self.norm = RMSNorm(config.hidden_size, config.rms_norm_eps, scale=False)
        self.proj = nn.Linear(config.hidden_size, config.num_experts, bias=False)
        self.scale = nn.Parameter(torch.ones(config.hidden_size))
        self.per_expert_scale = nn.Parameter(torch.ones(config.num_experts))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """``x`` [N, D] -> weights [N, k] and the experts they are for, int64 [N, k].

        Weights sum to 1 before the per-expert scale.
        """
        if len(self.per_expert_scale) == 1:  # no choice: the renormalised weight is 1
            only = torch.zeros(len(x), 1, dtype=torch.int64, device=x.device)
            return self.per_expert_scale.expand(len(x), 1), only
        scores = self.proj(self.norm(x) * self.scale * self.scale.numel() ** -0.5)
        weights, chosen = F.softmax(scores, dim=-1, dtype=torch.float32).topk(self.top_k, dim=-1)
        weights = weights / weights.sum(dim=-1, keepdim=True)
        return weights * self.per_expert_scale[chosen], chosen


class Experts(nn.Module):
    """Gated MLPs of which each token visits a few. Weights: [E, 2 I, D] and [E, D, I]."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        count, hidden, size = config.num_experts, config.hidden_size, config.moe_intermediate_size
        self.gate_up_proj = nn.Parameter(torch.empty(count, 2 * size, hidden))
        self.down_proj = nn.Parameter(torch.empty(count, hidden, size))

    def forward(self, x: Tensor, weights: Tensor, chosen: Tensor) -> Tensor:
        """``x`` [N, D], ``weights`` and ``chosen`` [N, k] -> weighted sum over experts [N, D]."""
        if len(self.gate_up_proj) == 1:
            return self._visit(0, x) * weights.to(x.dtype)
        out = torch.zeros_like(x)
        for expert in torch.unique(chosen).tolist():
            token, rank = (chosen == expert).nonzero(as_tuple=True)
            visit = self._visit(expert, x[token]) * weights[token, rank, None]
            out.index_add_(0, token, visit.to(x.dtype))
        return out

    def _visit(self, expert: int, x: Tensor) -> Tensor:
        gate, up = F.linear(x, self.gate_up_proj[expert]).chunk(2, dim=-1)
        return F.linear(F.gelu(gate, approximate="tanh") * up, self.down_proj[expert])


class Attention(nn.Module):
    """Attention with per-head norms of q and k, a scale-free norm of v, and scale 1.

    Full-attention layers have no value projection: the raw keys, normed, are the values.
    """

    v_proj: nn.Linear | None

    def __init__(self, config: ModelConfig, layer: LayerConfig) -> None:
        super().__init__()
        self.layer_type = layer.layer_type
        self.head_dim = layer.head_dim
        kv_size = layer.num_key_value_heads * layer.head_dim
        q_size = config.num_attention_heads * layer.head_dim
        self.q_proj = nn.Linear(config.hidden_size, q_size, bias=False)
        self.k_proj = nn.Linear(config.hidden_size, kv_size, bias=False)
        self.v_proj = (
            nn.Linear(config.hidden_size, kv_size, bias=False) if layer.is_sliding else None
        )
        self.o_proj = nn.Linear(q_size, config.hidden_size, bias=False)
        self.q_norm = RMSNorm(layer.head_dim, config.rms_norm_eps)
        self.k_norm = RMSNorm(layer.head_dim, config.rms_norm_eps)
        self.v_norm = RMSNorm(layer.head_dim, config.rms_norm_eps, scale=False)

    def project(self, x: Tensor, rotation: Rotation | None) -> tuple[Tensor, Tensor, Tensor]:
        """``x`` [B, L, D] -> q [B, H, L, d], k and v [B, kv heads, L, d]."""
        shape = (*x.shape[:-1], -1, self.head_dim)
        raw_k = self.k_proj(x).view(shape)
        q = self.q_norm(self.q_proj(x).view(shape))
        k = self.k_norm(raw_k)
        v = self.v_norm(raw_k if self.v_proj is None else self.v_proj(x).view(shape))
        if rotation is not None:
            q, k = rotate(q, rotation), rotate(k, rotation)
        return q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2)

    def merge(self, heads: Tensor) -> Tensor:
        """Attention output [B, H, L, d] -> [B, L, D]."""
        return self.o_proj(heads.transpose(1, 2).flatten(2))  # type: ignore[no-any-return]


class Layer(nn.Module):
    """Attention, then dense MLP and routed experts side by side.

    The two passes share every weight but ``layer_scalar``, which each has of its own:
    ``layer_scalar`` is the decoder's, ``encoder_layer_scalar`` the encoder's.
    """

    layer_scalar: Tensor
    encoder_layer_scalar: Tensor

    def __init__(self, config: ModelConfig, layer: LayerConfig) -> None:
        super().__init__()
        size, eps = config.hidden_size, config.rms_norm_eps
        self.self_attn = Attention(config, layer)
        self.mlp = GatedMLP(size, config.intermediate_size)
        self.router = Router(config)
        self.experts = Experts(config)
        self.input_layernorm = RMSNorm(size, eps)
        self.post_attention_layernorm = RMSNorm(size, eps)
        self.pre_feedforward_layernorm = RMSNorm(size, eps)
        self.pre_feedforward_layernorm_2 = RMSNorm(size, eps)
        self.post_feedforward_layernorm_1 = RMSNorm(size, eps)
        self.post_feedforward_layernorm_2 = RMSNorm(size, eps)
        self.post_feedforward_layernorm = RMSNorm(size, eps)
        self.register_buffer("layer_scalar", torch.ones(1))
        self.register_buffer("encoder_layer_scalar", torch.ones(1))

    def encode(
        self, x: Tensor, rotation: Rotation | None, past: tuple[Tensor, Tensor], mask: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """One layer of the causal pass: ``x`` [B, S, D] -> x, and all keys and values so far."""
        q, k, v = self.self_attn.project(self.input_layernorm(x), rotation)
        k, v = torch.cat((past[0], k), dim=2), torch.cat((past[1], v), dim=2)
        heads = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, scale=1.0, enable_gqa=True)
        return self._finish(x, heads, self.encoder_layer_scalar), k, v

    def decode(
        self,
        x: Tensor,
        rotation: Rotation | None,
        prompt: tuple[Tensor, Tensor],
        plan: AttentionPlan,
    ) -> Tensor:
        """One layer of the pass over [prompt ; canvas]: ``x`` [B, L, D] -> the same."""
        q, k, v = self.self_attn.project(self.input_layernorm(x), rotation)
        k, v = torch.cat((prompt[0], k), dim=2), torch.cat((prompt[1], v), dim=2)
        heads = attend(q, k, v, plan[self.self_attn.layer_type])
        return self._finish(x, heads, self.layer_scalar)

    def _finish(self, x: Tensor, heads: Tensor, scalar: Tensor) -> Tensor:
        x = x + self.post_attention_layernorm(self.self_attn.merge(heads))
        dense = self.mlp(self.pre_feedforward_layernorm(x))
        weights, chosen = self.router(x.flatten(0, -2))
        routed = self.experts(self.pre_feedforward_layernorm_2(x).flatten(0, -2), weights, chosen)
        both = self.post_feedforward_layernorm_1(dense) + self.post_feedforward_layernorm_2(
            routed.view_as(x)
        )
        x = x + self.post_feedforward_layernorm(both)
        return x * scalar


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
        return self.post_norm(embedded)  # type: ignore[no-any-return]


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


def rotate(x: Tensor, rotation: Rotation) -> Tensor:
    """Apply rotary embedding to ``x`` [B, L, heads, d], halves paired."""
    cos, sin = (part.unsqueeze(2) for part in rotation)
    low, high = x.chunk(2, dim=-1)
    return x * cos + torch.cat((-high, low), dim=-1) * sin


def rotation_at(positions: Tensor, rope: RopeConfig, head_dim: int, dtype: torch.dtype) -> Rotation:
    """Cosines and sines for ``positions`` [B, L], each [B, L, head_dim].

    Frequencies are spaced over the whole head. Where only a part of it turns (``proportional``),
    the slow ones are left out: zero frequencies leave their coordinates alone.
    """
    turning = int(rope.partial_rotary_factor * head_dim // 2)
    steps = torch.arange(turning, dtype=torch.float32, device=positions.device) * 2
    # Far into a prompt a rounding of the frequency is a visible angle: divide as transformers does.
    frequencies = F.pad(1.0 / rope.rope_theta ** (steps / head_dim), (0, head_dim // 2 - turning))
    angles = positions[..., None].float() * frequencies
    angles = torch.cat((angles, angles), dim=-1)
    return angles.cos().to(dtype), angles.sin().to(dtype)
