"""A text model's weights as its serving network reads them: joined, and in any precision.

Projections that read the same activations are one matrix here, so that each is one product.
Shapes: V tokens, D hidden, H heads, K heads of keys and values, d head size, E experts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from engine.config import LayerConfig, LayerType, ModelConfig
from engine.kernels.layer_norms import LayerNorms
from engine.model import DiffusionGemma
from engine.precision.precision import Precision
from engine.precision.weight import Weight


class WeightSource(Protocol):
    """Where weights come from, by the names of ``engine.model``."""

    def tensor(self, name: str) -> Tensor:
        """A norm, a scalar, the embeddings: on the device, in the dtype of activations."""

    def weight(self, name: str) -> Weight:
        """A matrix, or one an expert: on the device, in the precision that it is kept in."""


@dataclass(frozen=True, eq=False)
class GatedWeights:
    """A gated MLP: ``gate_up`` [2 I, D], gates first, and ``down`` [D, I]."""

    gate_up: Weight
    down: Weight


@dataclass(frozen=True, eq=False)
class HeadNorms:
    """Norms of queries and keys, [d] each, and K."""

    q: Tensor
    k: Tensor
    kv_heads: int


@dataclass(frozen=True, eq=False)
class LayerWeights:
    """One layer.

    Attributes:
        kind: what it attends to.
        input_norm: [D], before attention.
        qkv: [(H + 2 K) d, D]; without values where they are the raw keys.
        heads: norms of heads.
        out: [D, H d].
        norms: between the products.
        mlp: dense.
        router: [E, D].
        per_expert_scale: [E].
        experts: [E, 2 I, D] and [E, D, I].
        decoder_scalar: [1].
        encoder_scalar: [1].
    """

    kind: LayerType
    input_norm: Tensor
    qkv: Weight
    heads: HeadNorms
    out: Weight
    norms: LayerNorms
    mlp: GatedWeights
    router: Weight
    per_expert_scale: Tensor
    experts: GatedWeights
    decoder_scalar: Tensor
    encoder_scalar: Tensor


@dataclass(frozen=True, eq=False)
class TextWeights:
    """All of a text model.

    Attributes:
        embeddings: [V, D], the tied head's too.
        conditioning_norm: [D], of the self-conditioning signal.
        conditioning: the MLP that it goes through.
        layers: in order.
        norm: [D], the last.
    """

    embeddings: Weight
    conditioning_norm: Tensor
    conditioning: GatedWeights
    layers: tuple[LayerWeights, ...]
    norm: Tensor

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.embeddings.values.device

    @property
    def dtype(self) -> torch.dtype:
        """Of activations."""
        return self.embeddings.values.dtype

    @property
    def precision(self) -> Precision:
        """Of the matrices."""
        return self.conditioning.down.precision

    @classmethod
    def read(cls, config: ModelConfig, source: WeightSource) -> TextWeights:
        """Read layer by layer, so that no more than one layer is ever held twice."""
        return cls(
            embeddings=Weight(source.tensor("embed_tokens.weight")),
            conditioning_norm=source.tensor("self_conditioning.pre_norm.weight"),
            conditioning=_gated(source, "self_conditioning"),
            layers=tuple(_layer(config, source, i, x) for i, x in enumerate(config.layers)),
            norm=source.tensor("norm.weight"),
        )


class ModelWeights:
    """The ``WeightSource`` of a model in memory."""

    def __init__(self, model: DiffusionGemma) -> None:
        self._tensors = model.state_dict()

    def tensor(self, name: str) -> Tensor:
        """See ``WeightSource.tensor``."""
        tensor: Tensor = self._tensors[name]
        return tensor

    def weight(self, name: str) -> Weight:
        """See ``WeightSource.weight``."""
        return Weight(self._tensors[name])


def _layer(
    config: ModelConfig, source: WeightSource, index: int, sizes: LayerConfig
) -> LayerWeights:
    at = f"layers.{index}."
    projections = ("q_proj", "k_proj", *(["v_proj"] if sizes.is_sliding else []))
    return LayerWeights(
        kind=sizes.layer_type,
        input_norm=source.tensor(f"{at}input_layernorm.weight"),
        qkv=Weight.join(
            [source.weight(f"{at}self_attn.{name}.weight") for name in projections]
        ).arranged(),
        heads=HeadNorms(
            q=source.tensor(f"{at}self_attn.q_norm.weight"),
            k=source.tensor(f"{at}self_attn.k_norm.weight"),
            kv_heads=sizes.num_key_value_heads,
        ),
        out=source.weight(f"{at}self_attn.o_proj.weight").arranged(),
        norms=_norms(config, source, at),
        mlp=_gated(source, f"{at}mlp"),
        router=Weight(source.tensor(f"{at}router.proj.weight")),
        per_expert_scale=source.tensor(f"{at}router.per_expert_scale"),
        experts=GatedWeights(
            source.weight(f"{at}experts.gate_up_proj").arranged(),
            source.weight(f"{at}experts.down_proj").arranged(),
        ),
        decoder_scalar=source.tensor(f"{at}layer_scalar"),
        encoder_scalar=source.tensor(f"{at}encoder_layer_scalar"),
    )


def _norms(config: ModelConfig, source: WeightSource, at: str) -> LayerNorms:
    return LayerNorms(
        post_attention=source.tensor(f"{at}post_attention_layernorm.weight"),
        dense=source.tensor(f"{at}pre_feedforward_layernorm.weight"),
        routed=source.tensor(f"{at}pre_feedforward_layernorm_2.weight"),
        post_dense=source.tensor(f"{at}post_feedforward_layernorm_1.weight"),
        post_routed=source.tensor(f"{at}post_feedforward_layernorm_2.weight"),
        post_feedforward=source.tensor(f"{at}post_feedforward_layernorm.weight"),
        router=source.tensor(f"{at}router.scale"),
        eps=config.rms_norm_eps,
    )


def _gated(source: WeightSource, at: str) -> GatedWeights:
    gate, up, down = (source.weight(f"{at}.{name}_proj.weight") for name in ("gate", "up", "down"))
    return GatedWeights(Weight.join([gate, up]).arranged(), down.arranged())
