"""Vertices by name."""

import pytest

from solvers.graph.named_graph import NamedGraph, is_name, numbered
from solvers.problem_error import ProblemError


def test_a_vertex_is_found_by_its_name() -> None:
    named = NamedGraph.merged(["b", "a", "New York"], [(2, 0), (0, 2), (1, 2)])
    assert [named.vertex(name) for name in ("a", "b", " New York ")] == [1, 0, 2]
    assert named.graph.edges == ((0, 2), (1, 2))


@pytest.mark.parametrize(
    ("names", "accepted"),
    [
        (numbered(99), "1 to 99"),
        (("0", "1", "2"), "0, 1, 2"),
        (tuple("abcdefg"), "a, b, c, d, e, ..., g (7 names)"),
    ],
)
def test_a_name_that_is_not_there_is_refused_with_those_that_are(
    names: tuple[str, ...], accepted: str
) -> None:
    named = NamedGraph.merged(names, [])
    with pytest.raises(ProblemError) as caught:
        named.vertex("x", "--clamp")
    assert str(caught.value) == f"--clamp: no vertex is named 'x', accepted: {accepted}"


@pytest.mark.parametrize("text", ["", " ", "a\nb", "\x1b[2J", "\u202e", "\ud800", "n" * 81])
def test_what_a_terminal_cannot_show_is_no_name(text: str) -> None:
    assert not is_name(text)
    assert is_name("n" * 80)
