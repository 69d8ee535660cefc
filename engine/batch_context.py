"""What surrounds the canvases of a batch: how they attend, and under which rule."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from engine.attention import (
    AttentionPlan,
    plan_attention,
    plan_own_attention,
)
from engine.canvas import CanvasRequest
from engine.constraints.base import BatchConstraint
from engine.guidance import EagerGuide, Guide
from engine.kernels.cpu_guide import cpu_guide
from engine.layout import Layout
from engine.model import DiffusionGemma
from engine.relation_batch import RelationBatch


@dataclass(frozen=True, eq=False)
class BatchContext:
    """Made of the members of a batch, in order, and made anew when they change.

    Attributes:
        plan: how each layer type attends.
        rule: None without a constraint.
        guide: the rule at work; None without one.
    """

    plan: AttentionPlan
    rule: BatchConstraint | None
    guide: Guide | None

    @classmethod
    def of(
        cls, model: DiffusionGemma, layout: Layout, requests: Sequence[CanvasRequest]
    ) -> BatchContext:
        """The context of canvases of one layout.

        Args:
            model: the network.
            layout: of the canvases.
            requests: at least one.
        """
        rule = rule_of(layout, requests, model.device)
        guide = None if rule is None else guide_by(rule, model)
        return cls(_plan(model, layout, requests), rule, guide)

    def keep(self, rows: Tensor) -> BatchContext:
        """The context of the members at these indices, int64 [B']."""
        groups = [group for groups in self.plan.values() for group in groups]
        kept = {id(g.mask): _kept(g.mask, rows) for g in groups}  # groups share masks
        plan = {
            kind: tuple(replace(g, mask=kept[id(g.mask)]) for g in groups)
            for kind, groups in self.plan.items()
        }
        rule = None if self.rule is None else self.rule.keep(rows)
        guide = None if self.guide is None else self.guide.keep(rows)
        return BatchContext(plan, rule, guide)


def _kept(mask: Tensor | None, rows: Tensor) -> Tensor | None:
    """A mask that each canvas has for itself, of those that stay."""
    return mask if mask is None or len(mask) == 1 else mask[rows]


def rule_of(
    layout: Layout, requests: Sequence[CanvasRequest], device: torch.device
) -> BatchConstraint | None:
    """The rule of canvases of one layout, at least one; None without a constraint."""
    first, *others = [r.constraint for r in requests]
    if first is None:
        return None
    return first.stack([rule for rule in others if rule is not None], layout.length, device)


def guide_by(rule: BatchConstraint, model: DiffusionGemma) -> Guide:
    """What guides canvases by a rule, in the fastest code for the model's device."""
    return cpu_guide(rule, model.device, model.config.vocab_size) or EagerGuide(rule)


def _plan(
    model: DiffusionGemma, layout: Layout, requests: Sequence[CanvasRequest]
) -> AttentionPlan:
    config, device = model.config, model.device
    if layout.own:
        relations = [r.relations for r in requests if r.relations is not None]
        return plan_own_attention(config, RelationBatch.stack(relations, layout.length, device))
    return plan_attention(config, layout.relations, device)
