"""The Sudoku solver: the parts that ``solvers.strategy`` puts together."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from math import isqrt

import numpy as np

from engine.canvas import CanvasRequest, CanvasResult, Floats, SamplingParams, Tokens
from engine.client import ModelInfo
from solvers.base import Completion, Method
from solvers.stop import Stop
from solvers.sudoku import codec, exact
from solvers.sudoku.checker import is_solution
from solvers.sudoku.problem import Grid, SudokuProblem


@dataclass(frozen=True, kw_only=True)
class SudokuSolver:
    """See ``solvers.base.Solver``.

    Attributes:
        unguided_steps: denoising steps of a candidate when the effort names none and something
            follows. A stage ends where one more puzzle solved begins to cost it as much as an
            exact search; for the model alone that is measured on puzzles of about 30 clues, most
            of which it solves within these steps. Of puzzles that need more, guidance solves most
            in its first.
        guided_steps: the same, guided; measured on puzzles of 17 clues.
        last_steps: the same where nothing follows.
        default_candidates: of each kind of guidance when the effort names none.
        sampling: temperature, acceptance and stopping.
    """

    unguided_steps: int = 8
    guided_steps: int = 8
    last_steps: int = 64
    default_candidates: int = 1
    sampling: SamplingParams = codec.SAMPLING

    def default_steps(self, method: Method, last: bool) -> int:
        """See the attributes."""
        if last:
            return self.last_steps
        return self.guided_steps if method is Method.GUIDED_DIFFUSION else self.unguided_steps

    def contradiction(self, problem: SudokuProblem) -> bool:
        """Whether a clue stands twice in a unit; ``problem.conflicts()`` names the cells."""
        return bool(problem.conflicts())

    def misfit(self, problem: SudokuProblem, model: ModelInfo) -> str | None:
        """Too many cells or digits for the model; see ``solvers.base.Solver``."""
        shape = problem.geometry
        if shape.cells <= model.canvas_length and shape.size < model.vocabulary:
            return None
        return (
            f"the model takes {model.canvas_length} cells and digits to {model.vocabulary - 1}, "
            f"this grid has {shape.cells} and digits to {shape.size}"
        )

    @property
    def slow_layout(self) -> bool:
        """No."""
        return False

    def layout(self, problem: SudokuProblem) -> CanvasRequest:
        """See ``solvers.sudoku.codec.encode``."""
        return codec.encode(problem, self.sampling)

    def decode(self, problem: SudokuProblem, tokens: Tokens) -> Grid:  # noqa: ARG002
        """Tokens [cells] as a grid, right or wrong."""
        return codec.decode(tokens)

    def check(self, problem: SudokuProblem, answer: Grid) -> bool:
        """See ``solvers.sudoku.checker.is_solution``."""
        return is_solution(problem, answer)

    def complete(
        self, problem: SudokuProblem, belief: Floats | None, seed: int, limit_s: float, stop: Stop
    ) -> Completion[Grid]:
        """See ``solvers.sudoku.exact.complete``."""
        return exact.complete(problem, belief, seed, limit_s, stop)

    def badness(self, problem: SudokuProblem, result: CanvasResult) -> float:  # noqa: ARG002
        """Digits that stand twice in a row or column; among equals, the mean entropy decides."""
        size = isqrt(len(result.tokens))
        grid = result.tokens.reshape(size, size)
        surplus = sum(
            size - len(Counter(line)) for lines in (grid, grid.T) for line in lines.tolist()
        )
        certain = float(np.tanh(result.entropy.mean()))  # below 1, so that it only breaks ties
        return surplus + certain
