"""A model's weights as the CPU kernels read them: norms folded into what follows, then packed.

A norm's weight is a factor on the rows of the next matrix, the expert's scale one on its last
matrix, the logits' cap one on the head. The weight of the key norm moves to the queries. A soft
embedding is linear in the belief, so that its length and the gated projections of its direction
come from matrices of as many rows as there are tokens.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch

from engine.config import LayerType
from engine.feed_forward import GatedMLP
from engine.kernels.cpu_gemm import Floats, pack, pack_gated, padded
from engine.kernels.cpu_layout import LAYER, MODEL, Arena, HeadLayout, Records
from engine.kernels.simd import LANES
from engine.layer import Attention, Layer
from engine.model import DiffusionGemma
from engine.rms_norm import RMSNorm


@dataclass(frozen=True, eq=False)
class PackedWeights:
    """Attributes: ``model``, one record; ``layers``, one each; ``flat``, what they point into."""

    model: Records
    layers: Records
    layer_types: tuple[LayerType, ...]
    flat: Floats

    def for_plan(self, layout: HeadLayout) -> Records:
        """The layers with the head groups that a layout gives them."""
        layers = self.layers.copy()
        for layer, kind in zip(layers, self.layer_types, strict=True):
            layer["first_group"], layer["last_group"] = layout.spans[kind]
        return layers


def pack_weights(model: DiffusionGemma) -> PackedWeights:
    """Fold and pack; the model may change afterwards, the copy does not.

    Two tables are left to fill: what the first layer makes of every token, without a belief and
    with one that is certain.
    """
    arena = Arena()
    stride = padded(model.config.hidden_size)
    layers = [_pack_layer(arena, layer, stride) for layer in model.layers]  # type: ignore[arg-type]  # ModuleList is not generic
    header = _pack_ends(arena, model, stride, layers[0]["projected_stride"])
    return PackedWeights(
        np.array([tuple(header[name] for name in MODEL.names or ())], MODEL),
        np.array([tuple(x[name] for name in LAYER.names or ()) for x in layers], LAYER),
        tuple(layer.layer_type for layer in model.config.layers),
        arena.finish(),
    )


def _pack_ends(
    arena: Arena, model: DiffusionGemma, stride: int, projected_stride: int
) -> dict[str, float]:
    """What comes before and after the layers."""
    config, conditioning = model.config, model.self_conditioning
    size, vocabulary = config.hidden_size, config.vocab_size
    embedding = _array(model.embed_tokens.weight)
    scaled = embedding * np.float32(math.sqrt(size))
    signal = scaled * _weight(conditioning.pre_norm)
    fresh = torch.nn.functional.rms_norm(
        torch.from_numpy(scaled), (size,), None, config.rms_norm_eps
    )
    measure = _measure(scaled)
    gate, up = _gate_up(conditioning)
    cap = config.final_logit_softcapping
    return {
        "size": size,
        "stride": stride,
        "vocabulary": vocabulary,
        "vocabulary_stride": padded(vocabulary),
        "layers": config.num_hidden_layers,
        "embedding_at": arena.add(_wide(scaled, stride)),
        "fresh_at": arena.add(_wide(fresh.numpy(), stride)),
        "fresh_projected_at": arena.add(np.zeros((vocabulary, projected_stride), np.float32)),
        "clamped_at": arena.add(np.zeros((vocabulary, stride), np.float32)),
        "clamped_projected_at": arena.add(np.zeros((vocabulary, projected_stride), np.float32)),
        "measure_at": arena.add(pack(measure)),
        "measure_width": padded(measure.shape[1]),
        "gate_at": arena.add(pack_gated(_product(signal, gate), _product(signal, up))),
        "inner_width": padded(gate.shape[1], LANES),
        "down_at": arena.add(_pack_down(conditioning, 1.0)),
        "head_at": arena.add(pack((embedding * _weight(model.norm) / np.float32(cap)).T)),
        "eps": config.rms_norm_eps,
        "cap": cap,
    }


def _product(a: Floats, b: Floats) -> Floats:
    return (a.astype(np.float64) @ b).astype(np.float32)


def _measure(scaled: Floats) -> Floats:
    """A matrix M [V, at most V] with ``|belief @ M| = |belief @ scaled|``.

    With fewer tokens than dimensions that is the triangle of a QR decomposition.
    """
    vocabulary, size = scaled.shape
    if vocabulary >= size:
        return scaled
    _, triangle = np.linalg.qr(scaled.T.astype(np.float64))
    return triangle.T.astype(np.float32)


def _pack_layer(arena: Arena, layer: Layer, stride: int) -> dict[str, int]:
    """One layer's weights."""
    before, before_expert = (
        _weight(norm)[:, None]
        for norm in (layer.pre_feedforward_layernorm, layer.pre_feedforward_layernorm_2)
    )
    gate, up = _gate_up(layer.mlp)
    expert_gate, expert_up = np.split(_array(layer.experts.gate_up_proj[0]).T, 2, axis=1)
    scale = layer.router.per_expert_scale[0].item()
    expert_down = _array(layer.experts.down_proj[0]).T * np.float32(scale)
    dense_width, expert_width = (padded(x.shape[1], LANES) for x in (gate, expert_gate))
    return _pack_attention(arena, layer, stride) | {
        "gate_at": arena.add(
            np.concatenate(
                (
                    pack_gated(before * gate, before * up),
                    pack_gated(before_expert * expert_gate, before_expert * expert_up),
                )
            )
        ),
        "dense_width": dense_width,
        "expert_width": expert_width,
        "dense_down_at": arena.add(_pack_down(layer.mlp, 1.0)),
        "expert_down_at": arena.add(pack(_tall(expert_down, expert_width))),
        "feedforward_norms_at": arena.add(_feedforward_norms(layer, stride)),
        "first_group": 0,
        "last_group": 0,
    }


def _pack_attention(arena: Arena, layer: Layer, stride: int) -> dict[str, int]:
    attention = layer.self_attn
    width = padded(attention.head_dim, LANES)
    before = _weight(layer.input_layernorm)[:, None]
    query = before * _heads(attention.q_proj, attention.head_dim, width)
    key = before * _heads(attention.k_proj, attention.head_dim, width)
    heads, kv_heads = query.shape[1] // width, key.shape[1] // width
    value = _values(attention, width)
    both = key if value is None else np.concatenate((key, before * value), axis=1)
    units = both.shape[1] // width
    output = _array(attention.o_proj.weight).T.reshape(heads, attention.head_dim, -1)
    output = np.pad(output, ((0, 0), (0, width - attention.head_dim), (0, 0)))
    keys_from = padded(query.shape[1])
    return {
        "size": attention.head_dim,
        "width": width,
        "heads": heads,
        "kv_heads": kv_heads,
        "units": units,
        "projected_stride": keys_from + padded(both.shape[1]),
        "keys_from": keys_from,
        "values_from": keys_from if value is None else keys_from + key.shape[1],
        "heads_stride": heads * width,
        "query_at": arena.add(pack(query)),
        "key_at": arena.add(pack(both)),
        "query_norm_at": arena.add(_query_norm(attention, width)),
        "output_at": arena.add(pack(output.reshape(heads * width, -1))),
        "attention_norm_at": arena.add(_row(layer.post_attention_layernorm, stride)),
    }


def _values(attention: Attention, width: int) -> Floats | None:
    if attention.v_proj is None:
        return None
    return _heads(attention.v_proj, attention.head_dim, width)


def _query_norm(attention: Attention, width: int) -> Floats:
    """The weights of both norms, and the change to powers of two: [width]."""
    both = _weight(attention.q_norm) * _weight(attention.k_norm) * np.float32(math.log2(math.e))
    return np.pad(both, (0, width - len(both)))


def _feedforward_norms(layer: Layer, stride: int) -> Floats:
    """See ``cpu_rows.add_feedforward``: [4, stride]."""
    scalar = _array(layer.layer_scalar)
    return np.stack(
        (
            _row(layer.post_feedforward_layernorm_1, stride),
            _row(layer.post_feedforward_layernorm_2, stride),
            _row(layer.post_feedforward_layernorm, stride) * scalar,
            np.full(stride, scalar, np.float32),
        )
    )


def _heads(projection: torch.nn.Linear, head_dim: int, width: int) -> Floats:
    """A projection [D, heads width], each head widened with zeros."""
    weight = _array(projection.weight).T.reshape(projection.in_features, -1, head_dim)
    weight = np.pad(weight, ((0, 0), (0, 0), (0, width - head_dim)))
    return weight.reshape(projection.in_features, -1)


def _gate_up(mlp: GatedMLP) -> tuple[Floats, Floats]:
    """Both [D, I]."""
    return _array(mlp.gate_proj.weight).T, _array(mlp.up_proj.weight).T


def _pack_down(mlp: GatedMLP, scale: float) -> Floats:
    down = _array(mlp.down_proj.weight).T * np.float32(scale)
    return pack(_tall(down, padded(len(down), LANES)))


def _tall(matrix: Floats, rows: int) -> Floats:
    return np.pad(matrix, ((0, rows - len(matrix)), (0, 0)))


def _wide(matrix: Floats, columns: int) -> Floats:
    return np.pad(matrix, ((0, 0), (0, columns - matrix.shape[1])))


def _row(norm: RMSNorm, stride: int) -> Floats:
    return np.pad(_weight(norm), (0, stride - norm.size))


def _weight(norm: RMSNorm) -> Floats:
    if norm.weight is None:
        return np.ones(norm.size, np.float32)
    return _array(norm.weight)


def _array(tensor: torch.Tensor) -> Floats:
    return tensor.detach().float().numpy()
