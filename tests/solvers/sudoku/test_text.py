import gzip
import io
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from solvers.problem_error import ProblemError
from solvers.sudoku.geometry import geometry
from solvers.sudoku.problem import SudokuProblem
from solvers.sudoku.text import format_line, parse_puzzle, read_lines
from tests.solvers.sudoku.reference import EASY

BY_SIZE = [(2, 2), (2, 3), (2, 4), (3, 3), (2, 5), (3, 4), (3, 5), (4, 4)]


@st.composite
def problems(draw: st.DrawFn) -> SudokuProblem:
    rows, cols = draw(st.sampled_from(BY_SIZE))
    digit = st.integers(0, rows * cols)
    count = (rows * cols) ** 2
    return SudokuProblem.create(draw(st.lists(digit, min_size=count, max_size=count)), rows, cols)


@given(problems())
def test_a_line_reads_back(problem: SudokuProblem) -> None:
    assert parse_puzzle(format_line(problem.cells)) == problem


@given(problems(), st.sampled_from([",", ", ", ",\n"]))
def test_numbers_between_commas_read_back(problem: SudokuProblem, comma: str) -> None:
    assert parse_puzzle(comma.join(map(str, problem.cells))) == problem


@given(problems(), st.sampled_from([" ", "\n", "  ", " | ", "\t"]))
def test_numbers_between_spaces_read_back(problem: SudokuProblem, space: str) -> None:
    assert parse_puzzle(space.join(map(str, problem.cells))) == problem


@given(problems(), st.sampled_from("._*0"), st.booleans())
def test_any_blank_and_any_case_reads_the_same(
    problem: SudokuProblem, blank: str, lower: bool
) -> None:
    text = format_line(problem.cells).replace(".", blank)
    assert parse_puzzle(text.lower() if lower else text) == problem


@given(st.text(max_size=300))
def test_no_text_does_worse_than_a_problem_error(text: str) -> None:
    with suppress(ProblemError):
        problem = parse_puzzle(text)
        assert len(problem.cells) == problem.geometry.cells


def test_rules_between_boxes_are_skipped() -> None:
    text = "1 . | . 4\n. . | . .\n----+----\n. . | . .\n4 . | . 1\n"
    assert parse_puzzle(text).cells == (1, 0, 0, 4, *[0] * 8, 4, 0, 0, 1)


def test_pairs_of_digits_in_a_small_grid_are_two_cells() -> None:
    assert parse_puzzle("12 34\n34 12\n21 43\n43 21").cells[:4] == (1, 2, 3, 4)


def test_the_drawn_rules_of_our_own_terminal_are_skipped() -> None:
    text = "1 · │ · 4\n· · │ · ·\n────┼────\n· · │ · ·\n4 · │ · 1"
    assert parse_puzzle(text).cells[0] == 1


def test_a_named_box_decides_over_the_number_of_cells() -> None:
    assert parse_puzzle("." * 36, 3, 2).geometry == geometry(3, 2)
    assert parse_puzzle("." * 49, 1, 7).geometry == geometry(1, 7)
    assert parse_puzzle(" ".join(["10"] + ["0"] * 99), 1, 10).cells[0] == 10


@pytest.mark.parametrize(
    ("text", "where"),
    [
        (EASY.replace("7", "x", 1), "character 5: got 'x'"),
        ("1234\n34?2\n" + "." * 8, r"character 8 \(line 2, column 3\): got '\?'"),
        ("." * 15 + "5", r"character 16: got '5', accepted: 1 to 4 in a grid of 4 x 4"),
        ("." * 80 + "A", "got 'A', accepted: 1 to 9"),
        ("1,2,,3", r"character 4: got ',,'"),
        ("1, -2, 3", "got '-2', accepted: numbers from 0"),
        ("1,2.5,3", "got '2.5'"),
        ("1,.0,3", "got '.0'"),
        ("1," + "9" * 5000, "got '999999999999...'"),
        ("\u0661" * 81, "character 1: "),
        ("." * 80, "got 80 cells, accepted: 16, 36, 64, 81, 100, 144, 225, 256"),
        ("", "got 0 cells"),
    ],
)
def test_what_is_no_puzzle_is_refused_with_its_place(text: str, where: str) -> None:
    with pytest.raises(ProblemError, match=where) as caught:
        parse_puzzle(text)
    assert caught.value.field == "puzzle"


def test_half_a_box_is_refused() -> None:
    with pytest.raises(ProblemError, match="box_cols"):
        parse_puzzle("." * 36, box_rows=2)
    with pytest.raises(ProblemError, match="box_rows"):
        parse_puzzle("." * 36, box_cols=2)


@pytest.mark.parametrize("box", [(0, 3), (5, 5), (-3, -3)])
def test_a_named_box_that_makes_no_grid_is_refused(box: tuple[int, int]) -> None:
    with pytest.raises(ProblemError, match="box_rows"):
        parse_puzzle("." * 81, *box)


def test_a_named_box_and_cells_that_disagree_are_refused() -> None:
    with pytest.raises(ProblemError, match="got 81, accepted: 36"):
        parse_puzzle("." * 81, 2, 3)


def test_lines_skip_blanks_and_comments_and_keep_their_numbers() -> None:
    stream = io.StringIO(f"# easy\n\n{EASY}\n  # more\n {EASY} \n")
    assert list(read_lines(stream)) == [(3, EASY), (5, EASY)]


def test_a_csv_file_gives_its_puzzle_column() -> None:
    text = f'rating,"Puzzle",solution\n1,{EASY},x\n2\n3,"{EASY}",y\n'
    assert list(read_lines(io.StringIO(text))) == [(2, EASY), (3, "2"), (4, EASY)]


def test_a_csv_file_without_names_gives_its_first_field() -> None:
    assert list(read_lines(io.StringIO(f"{EASY},solution\n"))) == [(1, EASY)]


def test_numbers_between_commas_stay_one_puzzle() -> None:
    text = ",".join("0" * 81)
    assert list(read_lines(io.StringIO(text + "\n"))) == [(1, text)]


def test_files_are_read_gzipped_or_not(tmp_path: Path) -> None:
    plain, packed = tmp_path / "a.txt", tmp_path / "a.txt.gz"
    plain.write_bytes(b"\xef\xbb\xbf" + EASY.encode() + b"\n")
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    assert list(read_lines(plain)) == list(read_lines(str(packed))) == [(1, EASY)]


def test_bytes_that_are_no_text_are_left_for_the_parser_to_refuse(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"\xff\xfe" + EASY.encode())
    [(number, text)] = read_lines(path)
    assert number == 1
    with pytest.raises(ProblemError, match="character 1: "):
        parse_puzzle(text)


def test_a_missing_file_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="missing"):
        list(read_lines(tmp_path / "missing"))
