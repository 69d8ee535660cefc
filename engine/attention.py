"""How the heads of a decoder layer attend: everywhere, by mask, or within classes.

A plan is made once per batch from its relations and prompt lengths, and used by every layer and
step. Shapes: B canvases, H heads, L positions, S prompt positions, d head size.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import torch
import torch.nn.functional as F
from torch import Tensor

from engine.config import EVERYTHING, LayerType, ModelConfig
from engine.relation_batch import RelationBatch
from engine.relations import Relations


@dataclass(frozen=True, eq=False)
class HeadGroup:
    """Adjacent heads that attend alike.

    Exactly one of these holds: ``cells`` gives a partition, int64 [classes, size], and each cell
    sees its class; ``mask``, bool [B or 1, 1, L or 1, S + L], says what is seen; neither, and
    all is seen.
    """

    heads: slice
    mask: Tensor | None = None
    cells: Tensor | None = None


#: For each layer type, groups that cover its heads in order.
AttentionPlan = Mapping[LayerType, tuple[HeadGroup, ...]]


def attend(q: Tensor, k: Tensor, v: Tensor, groups: Sequence[HeadGroup]) -> Tensor:
    """Attention with scale 1: q [B, H, L, d], k and v [B, kv heads, S + L, d] -> [B, H, L, d]."""
    if len(groups) == 1:
        return _attend_group(q, k, v, groups[0])
    k, v = _one_per_head(k, q.shape[1]), _one_per_head(v, q.shape[1])
    parts = [_attend_group(q[:, g.heads], k[:, g.heads], v[:, g.heads], g) for g in groups]
    return torch.cat(parts, dim=1)


def plan_attention(
    config: ModelConfig,
    relations: Relations | None,
    device: torch.device,
    prompt_visible: Mapping[LayerType, Tensor] | None = None,
) -> AttentionPlan:
    """Decide how each head attends when all canvases of a batch share ``relations``.

    Args:
        config: names the relation of each head.
        relations: the layout's relations; None if the model has none.
        device: where the plan's tensors go.
        prompt_visible: per layer type, what is seen of [prompt ; canvas], bool [B, S + L]; see
            ``prompt_visibility``. None when there is no prompt.

    Raises:
        ValueError: the model needs a relation that ``relations`` lacks.
    """
    _refuse_missing(config, relations.matrices if relations else ())
    visible = prompt_visible or {}
    return {
        kind: tuple(
            _group(name, heads, relations, visible.get(kind), device)
            for name, heads in _runs(config.head_relations(kind))
        )
        for kind in config.layer_types
    }


def plan_own_attention(config: ModelConfig, own: RelationBatch) -> AttentionPlan:
    """Decide how each head attends when every canvas of a batch has relations of its own.

    Nobody sees padding but padding. There is no prompt.

    Raises:
        ValueError: the model needs a relation that the canvases lack.
    """
    _refuse_missing(config, own.masks)
    everything = None if own.present is None else own.present[:, None, None, :]
    masks = {EVERYTHING: everything, **{name: m[:, None] for name, m in own.masks.items()}}
    return {
        kind: tuple(
            HeadGroup(heads, mask=masks[name]) for name, heads in _runs(config.head_relations(kind))
        )
        for kind in config.layer_types
    }


def _refuse_missing(config: ModelConfig, names: Iterable[str]) -> None:
    if missing := set(config.relations.names) - set(names):
        raise ValueError(f"the canvas lacks relations that the model needs: {sorted(missing)}")


def prompt_visibility(
    config: ModelConfig, lengths: Tensor, canvas_length: int
) -> Mapping[LayerType, Tensor]:
    """Which of [prompt ; canvas] the decoder sees in each layer type, bool [B, S + L].

    Sliding layers see the last ``sliding_window - 1`` prompt tokens, from any canvas position;
    padding after a prompt is never seen, the canvas always.

    Args:
        config: gives the window.
        lengths: int64 [B], prompt tokens; S is the longest.
        canvas_length: L.
    """
    at = torch.arange(int(lengths.max()), device=lengths.device)
    within = at < lengths[:, None]
    recent = within & (at >= lengths[:, None] - (config.sliding_window - 1))
    canvas = torch.ones(len(lengths), canvas_length, dtype=torch.bool, device=lengths.device)
    by_type = {"full_attention": within, "sliding_attention": recent}
    return {kind: torch.cat((by_type[kind], canvas), dim=1) for kind in config.layer_types}


def _runs(names: Sequence[str]) -> list[tuple[str, slice]]:
    """Maximal runs of equal names, with the slice of heads that each covers."""
    runs, start = [], 0
    for name, members in groupby(names):
        count = len(list(members))
        runs.append((name, slice(start, start + count)))
        start += count
    return runs


def _group(
    name: str,
    heads: slice,
    relations: Relations | None,
    visible: Tensor | None,
    device: torch.device,
) -> HeadGroup:
    if name == EVERYTHING or relations is None:
        return HeadGroup(heads, mask=None if visible is None else visible[:, None, None, :])
    if visible is None and name in relations.partitions:
        return HeadGroup(heads, cells=torch.from_numpy(relations.partitions[name]).to(device))
    mask = torch.from_numpy(relations.mask(name)).to(device)[None, None]
    if visible is not None:
        prompt = visible[:, None, None, : visible.shape[1] - relations.length]
        prompt = prompt.expand(-1, 1, relations.length, -1)
        mask = torch.cat((prompt, mask.expand(len(prompt), -1, -1, -1)), dim=-1)
    return HeadGroup(heads, mask=mask)


def _attend_group(q: Tensor, k: Tensor, v: Tensor, group: HeadGroup) -> Tensor:
    if group.cells is not None:
        return _attend_within(q, k, v, group.cells)
    return F.scaled_dot_product_attention(
        q, k, v, attn_mask=group.mask, scale=1.0, enable_gqa=k.shape[1] != q.shape[1]
    )


def _attend_within(q: Tensor, k: Tensor, v: Tensor, cells: Tensor) -> Tensor:
    """Attend within the classes of a partition; see ``HeadGroup.cells``."""
    if k.shape[2] != cells.numel():
        raise ValueError(
            f"the plan is for {cells.numel()} positions without a prompt, got {k.shape[2]} keys"
        )
    order = cells.flatten()
    q, k, v = (x[:, :, order].reshape(*x.shape[:2], *cells.shape, -1) for x in (q, k, v))
    out = F.scaled_dot_product_attention(q, k, v, scale=1.0).flatten(2, 3)
    return out[:, :, torch.argsort(order)]


def _one_per_head(x: Tensor, heads: int) -> Tensor:
    return x if x.shape[1] == heads else x.repeat_interleave(heads // x.shape[1], dim=1)
