"""Draw docs/denoising.svg: a real run of the bundled checkpoint, one frame a denoising step.

The picture is an SVG that animates by CSS, so that it moves wherever images are shown; where it
does not, it is the solved grid.
Usage: python docs/draw_denoising.py [--seed N] [--out FILE]
"""

import argparse
import asyncio
from collections.abc import Sequence
from pathlib import Path
from xml.sax.saxutils import escape

import torch

from engine.canvas import Draft
from engine.checkpoint import load_checkpoint
from engine.engine import Engine
from solvers.base import CandidateDraft, Effort, Guidance, Outcome, Solution
from solvers.bundled import bundled_checkpoints
from solvers.search_pool import SearchPool
from solvers.strategy import solve
from solvers.sudoku.problem import Grid, SudokuProblem
from solvers.sudoku.solver import SudokuSolver
from solvers.sudoku.text import parse_puzzle

PUZZLE = "000000010400000000020000000000050407008000300001090000300400200050100000000806000"
CELL, MARGIN, FOOT = 38, 14, 40
FRAME_S, LAST_S = 0.45, 3.0
PALEST = 0.45  # of a digit of which the model knows nothing yet; below, it cannot be read
INK, CLUE, PAPER = "#1b6e4a", "#1f2328", "#ffffff"


async def denoise(problem: SudokuProblem, effort: Effort) -> tuple[list[Draft], Solution[Grid]]:
    """Solve and keep every draft of the candidate that answered."""
    drafts: dict[tuple[str, int], list[Draft]] = {}

    def keep(shown: CandidateDraft) -> None:
        drafts.setdefault((shown.method.value, shown.candidate), []).append(shown.draft)

    checkpoint = load_checkpoint(bundled_checkpoints()["sudoku"])
    with Engine({"sudoku": checkpoint}) as engine, SearchPool() as searches:
        solution = await solve(
            SudokuSolver(), problem, effort, engine, "sudoku", searches=searches, on_draft=keep
        )
    return list(drafts.values())[-1], solution


def draw(problem: SudokuProblem, drafts: list[Draft]) -> str:
    """The animated SVG."""
    size = problem.geometry.size * CELL + 2 * MARGIN
    total = len(drafts) * FRAME_S + LAST_S
    frames = "\n".join(
        f'<g class="f" opacity="0" style="animation-delay:{i * FRAME_S:.2f}s">'
        f"{_frame(problem, d, i)}</g>"
        for i, d in enumerate(drafts[:-1])
    )
    last = f'<g class="l">{_solved(problem, drafts[-1], len(drafts))}</g>'
    hidden = 100 * FRAME_S / total
    shown_from = 100 * (len(drafts) - 1) * FRAME_S / total
    view = f'viewBox="0 0 {size} {size + FOOT}" width="{size}"'
    return f"""<svg xmlns="http://www.w3.org/2000/svg" {view} role="img" \
aria-label="A Sudoku canvas denoising step by step">
<style>
text {{ font: 20px ui-monospace, Menlo, Consolas, monospace; text-anchor: middle; }}
.s {{ font-size: 14px; text-anchor: start; fill: #57606a; }}
.f, .l {{ animation: {total:.2f}s step-end infinite; }}
.f {{ animation-name: frame; }} .l {{ animation-name: last; }}
@keyframes frame {{ 0% {{ opacity: 1; }} {hidden:.3f}% {{ opacity: 0; }} }}
@keyframes last {{ 0% {{ opacity: 0; }} {shown_from:.3f}% {{ opacity: 1; }} }}
@media (prefers-reduced-motion: reduce) {{ .f, .l {{ animation: none; }} }}
</style>
<rect width="100%" height="100%" rx="8" fill="{PAPER}"/>
{_rules(problem)}
{frames}
{last}
</svg>
"""


def _frame(problem: SudokuProblem, draft: Draft, index: int) -> str:
    certainty = [
        1.0 if accepted else max(PALEST, 1.0 - 0.4 * entropy)
        for accepted, entropy in zip(draft.accepted, draft.entropy, strict=True)
    ]
    known = int(draft.accepted.sum())
    caption = f"step {index + 1}: {known} of {problem.geometry.cells} cells accepted"
    return _grid(problem, draft, certainty, caption)


def _solved(problem: SudokuProblem, draft: Draft, steps: int) -> str:
    certainty = [1.0] * problem.geometry.cells
    return _grid(problem, draft, certainty, f"solved and checked after {steps} steps")


def _grid(problem: SudokuProblem, draft: Draft, certainty: Sequence[float], caption: str) -> str:
    cells = "".join(_cell(problem, draft, i, sure) for i, sure in enumerate(certainty))
    y = problem.geometry.size * CELL + 2 * MARGIN + 20
    return f'{cells}<text class="s" x="{MARGIN}" y="{y}">{escape(caption)}</text>'


def _cell(problem: SudokuProblem, draft: Draft, cell: int, certainty: float) -> str:
    row, column = divmod(cell, problem.geometry.size)
    x, y = MARGIN + column * CELL + CELL / 2, MARGIN + row * CELL + CELL / 2 + 7
    if problem.cells[cell]:
        look = f'fill="{CLUE}" font-weight="700"'
    else:
        look = f'fill="{INK}" opacity="{certainty:.2f}"'
    return f'<text x="{x:g}" y="{y:g}" {look}>{draft.tokens[cell]}</text>'


def _rules(problem: SudokuProblem) -> str:
    shape, lines = problem.geometry, []
    end = MARGIN + shape.size * CELL
    for i in range(shape.size + 1):
        at = MARGIN + i * CELL
        across = "#1f2328" if i % shape.box_rows == 0 else "#d0d7de"
        down = "#1f2328" if i % shape.box_cols == 0 else "#d0d7de"
        lines.append(f'<path d="M{MARGIN} {at}H{end}" stroke="{across}"/>')
        lines.append(f'<path d="M{at} {MARGIN}V{end}" stroke="{down}"/>')
    return "".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--puzzle", default=PUZZLE)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "denoising.svg")
    options = parser.parse_args()
    torch.set_num_threads(1)
    problem = parse_puzzle(options.puzzle)
    effort = Effort(seed=options.seed, guidance=Guidance.NONE, candidates=1, exact_fallback=False)
    drafts, solution = asyncio.run(denoise(problem, effort))
    if solution.outcome is not Outcome.SOLVED:
        raise SystemExit(f"seed {options.seed} did not solve the puzzle; try another --seed")
    options.out.write_text(draw(problem, drafts), encoding="utf-8")
    print(f"{options.out}: {len(drafts)} steps")


if __name__ == "__main__":
    main()
