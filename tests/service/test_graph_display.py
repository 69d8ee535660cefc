"""Graphs as the terminal shows them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.style import Style
from rich.text import Text

from service.graph_display import (
    GraphDraft,
    coloring_text,
    independent_set_text,
    tour_text,
)
from solvers.graph.graph import Graph
from solvers.graph.palette import CONFLICT, PATH, color_of

SQUARE = Graph.create(4, [(0, 1), (1, 2), (2, 3), (0, 3)])
NAMES = ("a", "b", "c", "d")


def style_of(text: Text, label: str) -> Style:
    """Of the last place where the label stands."""
    at = text.plain.rindex(label)
    styles = [span.style for span in text.spans if span.start <= at < span.end]
    return Style.combine(style for style in styles if isinstance(style, Style))


def blocks(text: Text) -> dict[str, str | None]:
    """The background of each label, by name."""
    rows = Text("\n").join(text.split()[1:])
    styles = {name: style_of(rows, name) for name in NAMES}
    return {name: style.bgcolor and style.bgcolor.name for name, style in styles.items()}


def test_a_colouring_is_drawn_on_blocks_of_its_colours() -> None:
    text = coloring_text(GraphDraft(SQUARE, NAMES, (0, 1, 0, 2), title="step 3"))
    assert text.plain == "step 3, 0 conflicts left, 3 colours used\n a   b   c   d \n"
    assert blocks(text) == {"a": color_of(0), "b": color_of(1), "c": color_of(0), "d": color_of(2)}


def test_both_ends_of_a_conflict_are_marked_also_without_colours() -> None:
    text = coloring_text(GraphDraft(SQUARE, NAMES, (0, 0, 1, 2)))
    assert text.plain == "1 conflict left, 3 colours used\n a!  b!  c   d \n"
    assert blocks(text) == {"a": CONFLICT, "b": CONFLICT, "c": color_of(1), "d": color_of(2)}


def test_what_is_not_chosen_is_hollow() -> None:
    text = independent_set_text(GraphDraft(SQUARE, NAMES, (1, 0, 1, 0)))
    assert text.plain == "0 conflicts left, 2 chosen\n a   b   c   d \n"
    assert blocks(text) == {"a": color_of(0), "b": None, "c": color_of(0), "d": None}


def test_chosen_neighbours_are_marked() -> None:
    text = independent_set_text(GraphDraft(SQUARE, NAMES, (1, 1, 0, 0)))
    assert text.plain == "1 conflict left, 2 chosen\n a!  b!  c   d \n"


@pytest.mark.parametrize(
    ("places", "cycle", "drawn"),
    [
        ((1, 2, 3, 0), False, "0 conflicts left, 4 of 4 places filled\n d   a   b   c \n"),
        ((1, 2, 3, 0), True, "0 conflicts left, 4 of 4 places filled\n d   a   b   c \n"),
        ((0, 2, 1, 3), False, "2 conflicts left, 4 of 4 places filled\n a!  c!  b!  d!\n"),
        ((0, 1, 1, 2), False, "1 conflict left, 3 of 4 places filled\n a   b!  c!  d \n"),
    ],
)
def test_a_tour_is_in_the_order_of_its_places(
    places: tuple[int, ...], cycle: bool, drawn: str
) -> None:
    text = tour_text(GraphDraft(SQUARE, NAMES, places), cycle=cycle)
    assert text.plain == drawn


def test_a_cycle_must_close() -> None:
    draft = GraphDraft(Graph.create(3, [(0, 1), (1, 2)]), NAMES[:3], (0, 1, 2))
    assert tour_text(draft).plain.endswith("\n a   b   c \n")
    assert tour_text(draft, cycle=True).plain.endswith("\n a!  b   c!\n")


def test_a_tour_shades_from_its_first_place_to_its_last() -> None:
    shades = blocks(tour_text(GraphDraft(SQUARE, NAMES, (0, 1, 2, 3))))
    assert (shades["a"], shades["d"]) == PATH
    assert len(set(shades.values())) == 4


def test_blocks_fade_with_doubt_until_they_are_accepted() -> None:
    accepted, entropy = (True, False, False, True), (2.0, 0.1, 1.4, 0.0)
    text = coloring_text(GraphDraft(Graph.create(4, []), NAMES, (4, 4, 4, 4), accepted, entropy))
    light = {
        name: sum(int(str(color)[i : i + 2], 16) for i in (1, 3, 5))
        for name, color in blocks(text).items()
    }
    assert light["a"] == light["d"] > light["b"] > light["c"]


def test_what_is_given_is_bold() -> None:
    text = coloring_text(GraphDraft(SQUARE, NAMES, (0, 1, 0, 1), given=frozenset({2})))
    rows = Text("\n").join(text.split()[1:])
    assert [bool(style_of(rows, name).bold) for name in NAMES] == [False, False, True, False]


def drawn_lines(vertices: int, width: int, height: int, prefix: str = "") -> list[str]:
    names = [f"{prefix}{vertex + 1}" for vertex in range(vertices)]
    draft = GraphDraft(Graph.create(vertices, []), names, [0] * vertices, title="step 12")
    return coloring_text(draft, width, height).plain.splitlines()


@given(st.integers(20, 100), st.integers(4, 40), st.integers(1, 512), st.integers(1, 81))
def test_no_line_is_too_long_and_there_are_not_too_many(
    width: int, height: int, vertices: int, longest: int
) -> None:
    lines = drawn_lines(vertices, width, height, "x" * (longest - 1))
    assert len(lines) < height
    assert max(map(cell_len, lines)) <= width


@pytest.mark.parametrize(("vertices", "prefix"), [(50, "vertex-"), (150, "v"), (150, "")])
def test_whole_labels_of_150_vertices_fit_into_a_small_terminal(vertices: int, prefix: str) -> None:
    words = " ".join(drawn_lines(vertices, 80, 24, prefix)[1:]).split()
    assert words == [f"{prefix}{vertex + 1}" for vertex in range(vertices)]


def test_512_vertices_fit_without_blanks_between_them() -> None:
    lines = drawn_lines(512, 80, 24)
    assert len(lines) == 23
    assert lines[1].startswith("  1  2  3")
    assert lines[-1].endswith("511512")


def test_long_labels_keep_their_ends_and_what_is_missing_is_counted() -> None:
    lines = drawn_lines(512, 20, 12, "v")
    assert lines[1] == "v1v2v3v4v5v6v7v8v910"
    assert lines[-1] == "and 422 more"
    assert len(lines) == 11


def test_wide_characters_are_counted_twice() -> None:
    draft = GraphDraft(SQUARE, ("東京", "b", "c", "d"), (0, 1, 0, 1))
    assert coloring_text(draft).plain.splitlines()[1] == " 東京      b      c      d "
