"""How hard the solvers on graphs try when the effort does not say."""

from __future__ import annotations

from dataclasses import dataclass

from solvers.base import Method


@dataclass(frozen=True, kw_only=True)
class GraphDefaults:
    """What the three solvers share; see ``solvers.base.Solver``.

    Attributes:
        unguided_steps: denoising steps of a candidate when the effort names none and something
            follows.
        guided_steps: the same, guided.
        last_steps: the same where nothing follows.
        default_candidates: of each kind of guidance when the effort names none.
    """

    unguided_steps: int = 16
    guided_steps: int = 16
    last_steps: int = 64
    default_candidates: int = 4

    def default_steps(self, method: Method, last: bool) -> int:
        """See the attributes."""
        if last:
            return self.last_steps
        return self.guided_steps if method is Method.GUIDED_DIFFUSION else self.unguided_steps
