import gzip
from pathlib import Path

import numpy as np
import pytest

from solvers.sudoku.checker import is_solution
from solvers.sudoku.data import GeneratedSupply, ListSupply, SudokuSource, read_puzzles, transform
from solvers.sudoku.generator import count_solutions, generate
from solvers.sudoku.geometry import geometry
from solvers.sudoku.problem import SudokuProblem
from tests.solvers.sudoku.reference import EASY, EASY_ANSWER, digits

CLASSIC = geometry(3, 3)
ARABIC = "\u0663" * 81
GOOD = f"puzzle,solution\n{EASY},{EASY_ANSWER}\n"


def written(folder: Path, text: str) -> Path:
    path = folder / "list.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_list_is_read_gzipped_or_not(tmp_path: Path) -> None:
    packed = tmp_path / "list.csv.gz"
    packed.write_bytes(gzip.compress(GOOD.encode()))
    for path in (written(tmp_path, GOOD), packed):
        batch = read_puzzles(path, CLASSIC)
        assert batch.puzzles.tolist() == [list(digits(EASY))]
        assert batch.solutions.tolist() == [list(digits(EASY_ANSWER))]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected columns"),
        (f"grid,solution\n{EASY},{EASY_ANSWER}\n", "expected columns"),
        ("puzzle,solution\n", "no puzzles"),
        (f"{GOOD}{EASY[:-1]},{EASY_ANSWER}\n", "line 3: expected 81 digits"),
        (f"{GOOD}{EASY}\n", "line 3: expected 81 digits"),
        (f"{GOOD}{'x' * 81},{EASY_ANSWER}\n", "line 3: expected 81 digits"),
        (f"{GOOD}{EASY},{ARABIC}\n", "line 3: expected 81 digits"),
        (f"{GOOD}{EASY},{EASY.replace('.', '0')}\n", "line 3: the solution"),
        (f"{GOOD}{'9' + EASY[1:]},{EASY_ANSWER}\n", "line 3: the solution"),
    ],
)
def test_a_list_that_is_malformed_is_refused_with_its_line(
    tmp_path: Path, text: str, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        read_puzzles(written(tmp_path, text), CLASSIC)


@pytest.mark.parametrize("box", [(2, 2), (2, 3), (3, 2), (3, 3), (3, 4)])
def test_symmetries_keep_puzzles_valid_and_unique(box: tuple[int, int]) -> None:
    shape = geometry(*box)
    batch = generate(shape, 20, 0, threads=1)
    puzzles, solutions = transform(batch.puzzles, batch.solutions, shape, np.random.default_rng(0))
    assert (puzzles != batch.puzzles).any()
    for puzzle, solution in zip(puzzles, solutions, strict=True):
        assert is_solution(SudokuProblem.create(puzzle.tolist(), *box), solution.tolist())
        assert count_solutions(shape, puzzle) == 1


def test_symmetries_reach_every_cell_and_digit() -> None:
    puzzles = np.zeros((3000, 81), np.int8)
    puzzles[:, 0] = 1
    moved, _ = transform(puzzles, puzzles, CLASSIC, np.random.default_rng(1))
    assert set(np.nonzero(moved)[1].tolist()) == set(range(81))
    assert set(moved.max(axis=1).tolist()) == set(range(1, 10))


def test_a_list_is_drawn_from_by_seed() -> None:
    supply = ListSupply(generate(CLASSIC, 10, 0))
    assert (supply(5, 1).puzzles == supply(5, 1).puzzles).all()
    assert len(supply(50, 2).puzzles) == 50


def test_generated_stock_hands_out_every_puzzle_once() -> None:
    supply = GeneratedSupply(geometry(2, 2), (8, 8), chunk=10)
    drawn = np.concatenate([supply(4, seed).puzzles for seed in range(3)])
    assert drawn.shape == (12, 16)


def test_a_source_clamps_the_clues_and_opens_the_digits() -> None:
    shape = geometry(2, 3)
    source = SudokuSource(shape, [(1.0, GeneratedSupply(shape, None, chunk=8))], vocabulary=17)
    problems = source.draw(8, np.random.default_rng(0))
    allowed = problems.domain.sum(dim=-1)
    assert (allowed[problems.clamped] == 1).all()
    assert (allowed[~problems.clamped] == 6).all()
    assert problems.domain.gather(-1, problems.labels[..., None]).all()
    assert source.relations is shape.relations
