"""What canvases must share to be stepped together."""

from __future__ import annotations

from dataclasses import dataclass

from engine.canvas import FREE, CanvasRequest
from engine.relations import Relations


@dataclass(frozen=True)
class Layout:
    """Canvases of equal layout may form a batch.

    Attributes:
        length: L, the longest of the bucket where canvases are padded.
        relations: that all share, by identity; None where each has its own or none has any.
        own: names of the relations that each canvas has for itself.
        family: of the constraint; None without one.
        fixed: whether nothing about the batch but its state depends on who its members are.
        restricted: whether any token is ruled out anywhere.
    """

    length: int
    relations: Relations | None
    own: tuple[str, ...]
    family: object
    fixed: bool
    restricted: bool

    @classmethod
    def of(cls, request: CanvasRequest, bucket: int = 1) -> Layout:
        """The layout of a request.

        Relations that are partitions are attended to within their classes, so canvases must share
        them. Others are masks, and each canvas may have its own.

        Args:
            request: the canvas.
            bucket: canvases with relations of their own are padded to a multiple of this.
        """
        relations, constraint = request.relations, request.constraint
        has_own = relations is not None and not relations.are_partitions
        family: object = constraint and constraint.family
        shared_rule = family is constraint
        padded = has_own and (constraint is None or not shared_rule)
        length = -(-request.length // bucket) * bucket if padded else request.length
        restricted = request.domain is not None or bool((request.clamps != FREE).any())
        return cls(
            length=length,
            relations=None if has_own else relations,
            own=tuple(relations.matrices) if relations is not None and has_own else (),
            family=family,
            fixed=shared_rule and not has_own,
            restricted=restricted or length > request.length,
        )
