"""One layer of the network, as both passes run it.

Shapes: B canvases, L positions, S prompt tokens, D hidden, H heads, d head size.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.attention import AttentionPlan, attend
from engine.config import LayerConfig, ModelConfig
from engine.feed_forward import Experts, GatedMLP, Router
from engine.rms_norm import RMSNorm
from engine.rotation import Rotation, rotate


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
        merged: Tensor = self.o_proj(heads.transpose(1, 2).flatten(2))
        return merged


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
