"""The DIMACS format."""

import pytest

from solvers.graph.dimacs import parse_dimacs
from solvers.problem_error import ProblemError


def test_comments_and_lines_of_other_kinds_are_skipped() -> None:
    text = "c a graph\nc\np edge 4 2\nn 1 5\nd 2 1\nv 1 0.5\nx 1\n\n  e 1 3 \ne\t2\t3\n"
    named = parse_dimacs(text)
    assert named.names == ("1", "2", "3", "4")
    assert named.graph.edges == ((0, 2), (1, 2))


def test_edges_may_begin_like_the_header() -> None:
    named = parse_dimacs("p col 3 2\np 1 2\np 2 3\n")
    assert named.graph.edges == ((0, 1), (1, 2))


@pytest.mark.parametrize("count", [0, 1, 99])
def test_the_header_is_right_about_vertices_and_not_asked_about_edges(count: int) -> None:
    named = parse_dimacs(f"p edge 5 {count}\ne 1 2\ne 2 1\n")
    assert (named.graph.vertices, named.graph.edges) == (5, ((0, 1),))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "a DIMACS file without a header, accepted: p edge N M (or p col N M)"),
        ("c\ne 1 2", "line 2: got 'e 1 2' first, accepted: the header, p edge N M (or p col N M)"),
        ("p edge 3", "line 1: got 'p edge 3', accepted: p edge N M (or p col N M)"),
        ("p edge 3 x", "line 1: got 'p edge 3 x', accepted: p edge N M (or p col N M)"),
        ("p cnf 3 2", "line 1: got 'p cnf 3 2', accepted: p edge N M (or p col N M)"),
        ("p edge 3 1\np edge 3 1", "line 2: a second header, accepted: one a file"),
        ("p edge 0 0", "line 1: 0 vertices, accepted: 1 to 512"),
        ("p edge 513 0", "line 1: 513 vertices, accepted: 1 to 512"),
        ("p edge 3 1\n\ne 1", "line 3: got 'e 1', accepted: e A B"),
        ("p edge 3 1\ne 1 2 3", "line 2: got 'e 1 2 3', accepted: e A B"),
        ("p edge 3 1\ne 1 b", "line 2: got 'e 1 b', accepted: e A B"),
        ("p edge 3 1\ne 1 4", "line 2: vertex 4, accepted: 1 to 3"),
        ("p edge 3 1\ne 0 1", "line 2: vertex 0, accepted: 1 to 3"),
        ("p edge 3 1\ne 2 2", "line 2: edge 2-2 is a self-loop, accepted: two vertices"),
        (
            "p edge 3 1\n1 2",
            "line 2: got '1 2', accepted: p edge N M (or p col N M), e A B, c and a comment",
        ),
        (
            "p edge 3 1\na 1 2",
            "line 2: got 'a 1 2', accepted: p edge N M (or p col N M), e A B, c and a comment",
        ),
        (f"p edge 3 1\ne 1 {'9' * 5000}", f"line 2: got 'e 1 {'9' * 36}...', accepted: e A B"),
    ],
)
def test_a_bad_line_is_refused_by_its_number(text: str, complaint: str) -> None:
    with pytest.raises(ProblemError) as caught:
        parse_dimacs(text)
    assert (caught.value.field, caught.value.message) == ("graph", complaint)
