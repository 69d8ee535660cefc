import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from engine.canvas import FREE, CanvasResult, FinishReason
from solvers.base import Solver
from solvers.stop import Stop
from solvers.sudoku import codec, train
from solvers.sudoku.geometry import Geometry
from solvers.sudoku.problem import Grid, SudokuProblem
from solvers.sudoku.solver import SudokuSolver
from tests.solvers.sudoku.reference import EASY, EASY_ANSWER, digits
from tests.solvers.sudoku.test_text import problems

PROBLEM = SudokuProblem.create(digits(EASY))


@given(problems())
def test_clues_are_clamps_and_all_else_is_free(problem: SudokuProblem) -> None:
    request = codec.encode(problem)
    request.validate(codec.VOCABULARY, 256)
    assert [0 if clamp == FREE else clamp for clamp in request.clamps] == list(problem.cells)


@given(problems())
def test_free_cells_take_any_digit_of_their_size_and_no_other_token(problem: SudokuProblem) -> None:
    domain = codec.encode(problem).full_domain(codec.VOCABULARY)
    assert not domain[:, 0].any()
    assert not domain[:, problem.geometry.size + 1 :].any()
    sizes = [1 if digit else problem.geometry.size for digit in problem.cells]
    assert domain.sum(axis=1).tolist() == sizes


@given(problems())
def test_a_full_canvas_decodes_to_its_grid(problem: SudokuProblem) -> None:
    grid = tuple(digit or 1 for digit in problem.cells)
    decoded = codec.decode(np.array(grid, np.int64))
    assert decoded == grid
    assert all(type(digit) is int for digit in decoded)


def test_canvases_of_one_shape_share_what_the_engine_batches_by() -> None:
    other = SudokuProblem(Geometry(3, 3), (0,) * 81)  # not the shared geometry
    first, second = codec.encode(PROBLEM), codec.encode(other)
    assert first.relations is second.relations
    assert first.constraint is second.constraint
    assert first.domain is second.domain


def test_the_vocabulary_is_the_checkpoints() -> None:
    assert train.sudoku_config().vocab_size == codec.VOCABULARY


@given(st.permutations(range(81)))
def test_the_constraint_is_satisfied_by_solutions_alone(order: list[int]) -> None:
    constraint = codec.encode(PROBLEM).constraint
    assert constraint is not None
    answer = torch.tensor([digits(EASY_ANSWER)])
    assert constraint.violations(answer).item() == 0
    moved = answer[:, order]
    assert (constraint.violations(moved).item() == 0) == bool((moved == answer).all())


def test_the_sudoku_solver_is_a_solver() -> None:
    solver: Solver[SudokuProblem, Grid] = SudokuSolver()
    answer = solver.decode(PROBLEM, np.array(digits(EASY_ANSWER)))
    assert solver.check(PROBLEM, answer)
    assert not solver.check(PROBLEM, answer[::-1])
    assert solver.complete(PROBLEM, None, 0, 10.0, Stop()).answer == answer
    assert solver.layout(PROBLEM).sampling == codec.SAMPLING
    assert not solver.contradiction(PROBLEM)


def result_of(tokens: tuple[int, ...], entropy: float) -> CanvasResult:
    flat = np.full(len(tokens), entropy, np.float32)
    return CanvasResult(
        tokens=np.array(tokens, np.int64),
        entropy=flat,
        candidate_mass=flat,
        reason=FinishReason.MAX_STEPS,
        steps=1,
        queue_ms=0.0,
        compute_ms=0.0,
    )


def test_drafts_are_ordered_by_clashes_then_by_entropy() -> None:
    answer = digits(EASY_ANSWER)
    one_off = (*answer[:80], 8)
    worst_to_best = [
        result_of((1,) * 81, 0.0),
        result_of(one_off, 2.0),
        result_of(one_off, 0.1),
        result_of(answer, 5.0),
        result_of(answer, 0.0),
    ]
    blank = SudokuProblem.create((0,) * 81)
    badness = [SudokuSolver().badness(blank, result) for result in worst_to_best]
    assert badness == sorted(badness, reverse=True)
    assert len(set(badness)) == 5
