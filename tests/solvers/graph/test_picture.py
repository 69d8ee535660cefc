"""Pictures of graphs."""

import re
import sys
import time
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given

from solvers.graph.graph import Graph
from solvers.graph.palette import CONFLICT, color_of
from solvers.graph.picture import Picture, to_svg
from tests.solvers.graph.test_formats import graphs

SQUARE = Graph.create(4, [(0, 1), (1, 2), (2, 3), (0, 3)])
NAMES = ("a", "b", "c", "d")


def drawn(picture: Picture) -> ElementTree.Element:
    return ElementTree.fromstring(re.sub(' xmlns="[^"]*"', "", to_svg(picture), count=1))


def square(**parts: object) -> ElementTree.Element:
    return drawn(Picture(SQUARE, NAMES, (0, 1, None, 14), **parts))  # type: ignore[arg-type]


def vertices(svg: ElementTree.Element) -> dict[str, dict[str, str]]:
    groups = svg.findall("g/g")
    return {group.findtext("title", ""): dict(group[1].attrib) for group in groups}


def lines(svg: ElementTree.Element) -> list[dict[str, str]]:
    return [dict(path.attrib) for path in svg.findall("path")]


def ends(d: str) -> set[str]:
    return set(re.split("[ML]", d)[1:])


def place(circle: dict[str, str]) -> str:
    return f"{circle['cx']} {circle['cy']}"


@given(graphs())
def test_every_vertex_is_a_labelled_circle_and_none_touch(graph: Graph) -> None:
    names = tuple(f"v{vertex}" for vertex in range(graph.vertices))
    svg = drawn(Picture(graph, names, (None,) * graph.vertices))
    circles = vertices(svg)
    assert tuple(circles) == names
    assert [text.text for text in svg.findall("g/g/text")] == list(names)
    at = np.array([[float(circle["cx"]), float(circle["cy"])] for circle in circles.values()])
    apart = np.hypot(*np.moveaxis(at[:, None] - at, 2, 0)) + 1e9 * np.eye(len(at))
    assert apart.min() > 2.2 * float(circles["v0"]["r"])
    left, top, width, height = map(float, svg.attrib["viewBox"].split())
    assert np.all(at.min(axis=0) > (left, top))
    assert np.all(at.max(axis=0) < (left + width, top + height))


def test_the_thin_line_joins_the_ends_of_every_edge() -> None:
    svg = square()
    at = {name: place(circle) for name, circle in vertices(svg).items()}
    (line,) = lines(svg)
    joined = [ends("M" + part) for part in line["d"].split("M")[1:]]
    assert joined == [{at[NAMES[a]], at[NAMES[b]]} for a, b in SQUARE.edges]


def test_classes_decide_the_colour_and_what_is_given_has_a_heavier_ring() -> None:
    circles = vertices(square(given=frozenset({1})))
    assert [circles[name]["fill"] for name in NAMES] == [
        color_of(0),
        color_of(1),
        "#ffffff",
        color_of(14),
    ]
    assert ["stroke-width" in circles[name] for name in NAMES] == [False, True, False, False]


def test_conflicts_are_red_and_dashed_where_there_is_no_edge() -> None:
    _, solid, dashed = lines(square(bad_edges=((0, 1), (0, 2))))
    assert (solid["stroke"], dashed["stroke"]) == (CONFLICT, CONFLICT)
    assert ["stroke-dasharray" in line for line in (solid, dashed)] == [False, True]


def test_a_path_is_a_thick_line_in_order() -> None:
    svg = square(path=(1, 0, 3, 2))
    at = [place(vertices(svg)[name]) for name in NAMES]
    thin, *steps = lines(svg)
    assert [step["d"] for step in steps] == [
        f"M{at[a]}L{at[b]}" for a, b in ((1, 0), (0, 3), (3, 2))
    ]
    assert len({step["stroke"] for step in steps}) == 3
    assert ends(thin["d"]) == {at[1], at[2]}
    assert float(steps[0]["stroke-width"]) > 3 * float(thin["stroke-width"])


def test_a_whole_cycle_lies_on_a_circle_and_is_closed() -> None:
    svg = square(path=(1, 0, 3, 2), cycle=True)
    circles = [vertices(svg)[name] for name in ("b", "a", "d", "c")]
    x, y = (np.array([float(circle[key]) for circle in circles]) for key in ("cx", "cy"))
    assert y.argmin() == 0
    assert x.argmax() == 1
    assert np.ptp(np.hypot(x - x.mean(), y - y.mean())) < 0.1
    assert [line["d"] for line in lines(svg)][-1] == f"M{place(circles[-1])}L{place(circles[0])}"
    assert len(lines(svg)) == 4


def test_labels_and_caption_are_escaped_and_long_ones_cut() -> None:
    names = ('<a&"b">', "Amsterdam", "\x00", "\x1b")
    svg = drawn(Picture(SQUARE, names, (0, 0, 0, 0), caption="1 < 2 & \x07"))
    assert [text.text for text in svg.findall("g/g/text")] == ['<a&"b">', "Amster…", "�", "�"]
    assert [title.text for title in svg.findall("g/g/title")][1] == "Amsterdam"
    assert svg.findtext("text") == "1 < 2 & �"


def test_the_same_picture_is_drawn_the_same() -> None:
    picture = Picture(SQUARE, NAMES, (0, 1, 0, 1))
    assert to_svg(picture) == to_svg(picture)


def test_components_do_not_lie_on_each_other() -> None:
    graph = Graph.create(
        40, [(3 * i + a, 3 * i + b) for i in range(10) for a, b in ((0, 1), (1, 2))]
    )
    svg = drawn(Picture(graph, tuple(map(str, range(40))), (None,) * 40))
    at = np.array([[float(c["cx"]), float(c["cy"])] for c in vertices(svg).values()])
    boxes = [(at[3 * i : 3 * i + 3].min(0), at[3 * i : 3 * i + 3].max(0)) for i in range(10)]
    boxes += [(at[i], at[i]) for i in range(30, 40)]
    for i, (low, high) in enumerate(boxes):
        for other_low, other_high in boxes[:i]:
            assert (low > other_high).any() or (other_low > high).any()


@pytest.mark.parametrize(("vertices", "degree"), [(499, 99), (500, 99), (512, 5)])
def test_the_largest_graphs_are_drawn_in_seconds_without_scipy(
    vertices: int, degree: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "scipy", None)
    rng = np.random.default_rng(0)
    graph = Graph.of(np.triu(rng.random((vertices, vertices)) < degree / vertices, 1))
    begun = time.perf_counter()
    svg = to_svg(Picture(graph, tuple(map(str, range(vertices))), (0,) * vertices))
    assert time.perf_counter() - begun < 10
    assert svg.count("<circle") == vertices
