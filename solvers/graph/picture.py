"""A picture of a graph and of an answer on it, as SVG."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from xml.etree import ElementTree

from solvers.graph.graph import Edge, Graph
from solvers.graph.layout import Positions, circular_layout, spring_layout
from solvers.graph.palette import CONFLICT, PATH, between, color_of, ink_on

#: Radius of a vertex; all lengths are multiples of it.
_RADIUS = 20.0
_MARGIN = 2.2 * _RADIUS
#: Pixels at which a viewer shows the longer side first.
_LARGEST = 1000.0
_SMALLEST = 420.0
#: Pixels, at that size.
_CAPTION = 15.0
_LONGEST_LABEL = 7

_INK = "#1f2733"
_PAPER = "#ffffff"
_EDGE = "#9aa5b1"
_OUTLINE = "#7c8794"


@dataclass(frozen=True)
class Picture:
    """What is drawn.

    Attributes:
        graph: the graph.
        names: of each vertex.
        classes: of each vertex, which decides its colour; None leaves it hollow.
        given: vertices that the caller fixed; they have a heavier ring.
        path: vertices in the order in which a thick line joins them.
        cycle: whether that line is closed; the vertices then lie on a circle if all are on it.
        bad_edges: drawn in red, dashed where the graph has no such edge.
        caption: a line below.
    """

    graph: Graph
    names: tuple[str, ...]
    classes: tuple[int | None, ...]
    given: frozenset[int] = frozenset()
    path: tuple[int, ...] = ()
    cycle: bool = False
    bad_edges: tuple[Edge, ...] = ()
    caption: str = ""


def to_svg(picture: Picture) -> str:
    """Draw a picture; the same one always comes out the same."""
    round_tour = picture.cycle and sorted(picture.path) == list(range(picture.graph.vertices))
    layout = circular_layout(picture.path) if round_tour else spring_layout(picture.graph)
    at = layout * _RADIUS
    at -= at.min(axis=0) - _MARGIN
    width, height = (float(side) for side in at.max(axis=0) + _MARGIN)
    svg = _paper(picture, width, height)
    _draw_edges(svg, picture, at, bent=round_tour)
    _draw_path(svg, picture, at)
    _draw_bad(svg, picture, at)
    vertices = _add(svg, "g", **{"text-anchor": "middle", "stroke-width": _number(0.09 * _RADIUS)})
    for vertex in range(picture.graph.vertices):
        _draw_vertex(vertices, picture, vertex, at)
    ElementTree.indent(svg)
    return ElementTree.tostring(svg, encoding="unicode") + "\n"


def _paper(picture: Picture, width: float, height: float) -> ElementTree.Element:
    """An empty picture with its caption."""
    longer = max(width, height)
    scale = min(_LARGEST, max(_SMALLEST, longer)) / longer
    size = _CAPTION / scale
    # Small graphs would have captions wider than themselves.
    paper = max(width, 0.62 * size * len(picture.caption) + 2 * size)
    left = (width - paper) / 2
    whole = height + (2 * size if picture.caption else 0)
    svg = ElementTree.Element(
        "svg",
        {
            "xmlns": "http://www.w3.org/2000/svg",
            "viewBox": " ".join(map(_number, (left, 0, paper, whole))),
            "width": _number(paper * scale),
            "height": _number(whole * scale),
            "font-family": "Inter, 'Helvetica Neue', Arial, 'DejaVu Sans', sans-serif",
        },
    )
    sides = {"x": left, "y": 0.0, "width": paper, "height": whole}
    _add(svg, "rect", fill=_PAPER, **{key: _number(side) for key, side in sides.items()})
    if picture.caption:
        style = {"text-anchor": "middle", "font-size": _number(size), "fill": _INK}
        place = {"x": _number(width / 2), "y": _number(height + 0.7 * size)}
        _add(svg, "text", _printable(picture.caption), **place, **style)
    return svg


def _draw_edges(svg: ElementTree.Element, picture: Picture, at: Positions, *, bent: bool) -> None:
    """All edges in one thin grey line, thinner the more there are."""
    mean = 2 * len(picture.graph.edges) / picture.graph.vertices
    thin = max(0.25, min(1.0, (5 / max(mean, 1)) ** 0.5))
    middle = (at.min(axis=0) + at.max(axis=0)) / 2
    lines = []
    covered = {frozenset(step) for step in _steps(picture)}
    for a, b in picture.graph.edges:
        if frozenset((a, b)) in covered:
            continue
        start, end = _point(at[a]), _point(at[b])
        bend = _point(0.3 * (at[a] + at[b]) + 0.4 * middle)
        lines.append(f"M{start}Q{bend} {end}" if bent else f"M{start}L{end}")
    if lines:
        _line(svg, "".join(lines), _EDGE, 0.085 * thin + 0.01, opacity=_number(0.35 + 0.5 * thin))


def _draw_path(svg: ElementTree.Element, picture: Picture, at: Positions) -> None:
    """Steps that shade from the first colour to the last, so that the order can be seen."""
    steps = _steps(picture)
    bad = {frozenset(edge) for edge in picture.bad_edges}
    for index, (a, b) in enumerate(steps):
        if frozenset((a, b)) not in bad:
            color = between(*PATH, index / max(1, len(steps) - 1))
            _line(svg, f"M{_point(at[a])}L{_point(at[b])}", color, 0.42)


def _draw_bad(svg: ElementTree.Element, picture: Picture, at: Positions) -> None:
    for a, b in picture.bad_edges:
        dashes = {} if picture.graph.adjacency[a, b] else {"stroke-dasharray": "8 9"}
        _line(svg, f"M{_point(at[a])}L{_point(at[b])}", CONFLICT, 0.32, **dashes)


def _steps(picture: Picture) -> list[Edge]:
    """The steps of the path, the last back to its start if it is a cycle."""
    return list(itertools.pairwise(picture.path + picture.path[:1] * picture.cycle))


def _draw_vertex(svg: ElementTree.Element, picture: Picture, vertex: int, at: Positions) -> None:
    group, name = _add(svg, "g"), _printable(picture.names[vertex])
    _add(group, "title", name)
    x, y = (float(coordinate) for coordinate in at[vertex])
    kind = picture.classes[vertex]
    fill = _PAPER if kind is None else color_of(kind)
    circle = {"cx": _number(x), "cy": _number(y), "r": _number(_RADIUS), "fill": fill}
    circle["stroke"] = _OUTLINE if kind is None else _PAPER
    if vertex in picture.given:
        circle |= {"stroke": _INK, "stroke-width": _number(0.22 * _RADIUS)}
    _add(group, "circle", **circle)
    label = name if len(name) <= _LONGEST_LABEL else name[: _LONGEST_LABEL - 1] + "…"
    size = _RADIUS * min(0.95, 2.4 / len(label)) if label else _RADIUS
    place = {"x": _number(x), "y": _number(y + 0.36 * size)}
    _add(group, "text", label, fill=ink_on(fill), **place, **{"font-size": _number(size)})


def _line(svg: ElementTree.Element, d: str, color: str, width: float, **more: str) -> None:
    style = {"stroke": color, "stroke-width": _number(width * _RADIUS), "stroke-linecap": "round"}
    _add(svg, "path", d=d, fill="none", **style, **more)


def _add(
    parent: ElementTree.Element, tag: str, content: str | None = None, **attributes: str
) -> ElementTree.Element:
    element = ElementTree.SubElement(parent, tag, attributes)
    element.text = content
    return element


def _point(place: Positions) -> str:
    return f"{_number(float(place[0]))} {_number(float(place[1]))}"


def _number(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")


def _printable(text: str) -> str:
    """XML has no place for control characters."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
