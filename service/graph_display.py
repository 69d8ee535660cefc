"""Graphs for people: an answer as it denoises, each vertex a coloured block in a terminal."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.style import Style
from rich.text import Text

from solvers.graph.graph import Edge, Graph
from solvers.graph.palette import CONFLICT, PATH, between, color_of, ink_on

#: What a block fades to as its vertex becomes uncertain.
_SHADE = "#3a3a3a"
_HOLLOW = Style(color="#8a8f98")
_WRONG = Style(color="#ffffff", bgcolor=CONFLICT, bold=True)
#: Vertices of a row where there is room for all rows.
_ROW = 10
#: Characters; shorter labels than these say nothing.
_SHORTEST = 2
_LONGEST = 12
#: Nats at which a block is as faded as it gets.
_CLUELESS = 1.5


@dataclass(frozen=True)
class GraphDraft:
    """What is known of an answer after a step.

    Attributes:
        graph: the graph.
        names: of each vertex.
        tokens: of each vertex: its colour, 1 or 0 for chosen or not, or its place from 0.
        accepted: of each vertex; empty for an answer.
        entropy: of each vertex, nats; empty for an answer.
        given: vertices that the caller fixed, in bold.
        title: what begins the line above, such as the step.
    """

    graph: Graph
    names: Sequence[str]
    tokens: Sequence[int]
    accepted: Sequence[bool] = ()
    entropy: Sequence[float] = ()
    given: frozenset[int] = frozenset()
    title: str = ""


@dataclass(frozen=True)
class _Block:
    """One vertex as it is drawn; ``color`` is None where it is hollow."""

    label: str
    color: str | None
    wrong: bool
    bold: bool


def coloring_text(draft: GraphDraft, width: int = 80, height: int = 24) -> Text:
    """Vertices on blocks of their colour, the ends of conflicting edges marked.

    Args:
        draft: its tokens are colours.
        width: characters of a line.
        height: lines, 4 or more; where not all vertices fit, the last one says how many are
            missing.
    """
    tokens = draft.tokens
    bad = [(a, b) for a, b in draft.graph.edges if tokens[a] == tokens[b]]
    colors = [color_of(token) for token in tokens]
    used = f"{_counted(len(set(tokens)), 'colour')} used"
    order = range(draft.graph.vertices)
    return _drawn(draft, order, colors, _ends(bad), (_conflicts(len(bad)), used), width, height)


def independent_set_text(draft: GraphDraft, width: int = 80, height: int = 24) -> Text:
    """Chosen vertices on blocks, those with an edge between them marked, the others plain.

    Args:
        draft: its tokens are 1 for chosen and 0 for not.
        width: characters of a line.
        height: lines; see ``coloring_text``.
    """
    tokens = draft.tokens
    bad = [(a, b) for a, b in draft.graph.edges if tokens[a] and tokens[b]]
    colors = [color_of(0) if token else None for token in tokens]
    chosen = f"{sum(map(bool, tokens))} chosen"
    order = range(draft.graph.vertices)
    return _drawn(draft, order, colors, _ends(bad), (_conflicts(len(bad)), chosen), width, height)


def tour_text(draft: GraphDraft, width: int = 80, height: int = 24, *, cycle: bool = False) -> Text:
    """Vertices in the order of their places, those marked between which the way is broken.

    A way is broken between successive places whose vertices share no edge, and at a place that
    several vertices claim.

    Args:
        draft: its tokens are places, 0 to n - 1.
        width: characters of a line.
        height: lines; see ``coloring_text``.
        cycle: whether the last place must lead back to the first.
    """
    n, places = draft.graph.vertices, draft.tokens
    order = sorted(range(n), key=lambda vertex: (places[vertex], vertex))
    bad = _breaks(draft.graph, order, places, cycle)
    colors = [between(*PATH, place / max(1, n - 1)) for place in places]
    filled = f"{len(set(places))} of {_counted(n, 'place')} filled"
    return _drawn(draft, order, colors, _ends(bad), (_conflicts(len(bad)), filled), width, height)


def _breaks(graph: Graph, order: Sequence[int], places: Sequence[int], cycle: bool) -> list[Edge]:
    following = [*order[1:], *(order[:1] if cycle else ())]
    steps = zip(order, following, strict=False)
    return [(a, b) for a, b in steps if places[a] == places[b] or not graph.adjacency[a, b]]


def _drawn(
    draft: GraphDraft,
    order: Sequence[int],
    colors: Sequence[str | None],
    wrong: frozenset[int],
    facts: tuple[str, ...],
    width: int,
    height: int,
) -> Text:
    """A line of facts, then the blocks in order."""
    longest = min(_LONGEST, max(map(cell_len, draft.names)))
    blocks = [
        _Block(
            draft.names[vertex],
            _faded(draft, vertex, colors[vertex]),
            vertex in wrong,
            vertex in draft.given,
        )
        for vertex in order
    ]
    line = ", ".join(filter(None, (draft.title, *facts)))
    text = Text(f"{line[: max(1, width)]}\n", "bold")
    return text.append_text(_grid(blocks, longest, width, max(1, height - 2)))


def _grid(blocks: Sequence[_Block], longest: int, width: int, height: int) -> Text:
    """The roomiest blocks of which all fit; else the smallest, and how many are missing."""
    for length, padded, gap in _sizes(longest):
        cell = length + 2 * padded + gap
        across = max(1, (width + gap) // cell)
        if math.ceil(len(blocks) / across) <= height:
            break
    shown, columns = len(blocks), min(across, max(_ROW, math.ceil(len(blocks) / height)))
    if shown > across * height:
        shown, columns = across * max(1, height - 1), across
    text = Text()
    for index, block in enumerate(blocks[:shown]):
        _draw(text, block, length, padded)
        last = index % columns == columns - 1 or index == shown - 1
        text.append("\n" if last else " " * gap)
    if shown < len(blocks):
        text.append(f"and {len(blocks) - shown} more\n", "dim")
    return text


def _sizes(longest: int) -> Iterable[tuple[int, bool, bool]]:
    """Length of a label, whether blanks surround it, whether blocks stand apart."""
    yield longest, True, True
    yield longest, True, False
    yield longest, False, True
    for length in range(longest, min(longest, _SHORTEST) - 1, -1):
        yield length, False, False


def _draw(text: Text, block: _Block, length: int, padded: bool) -> None:
    style = (
        _HOLLOW if block.color is None else Style(color=ink_on(block.color), bgcolor=block.color)
    )
    label = _fitted(block.label, length)
    if padded:
        text.append(" ", style)
    text.append(label, _WRONG if block.wrong else style + Style(bold=block.bold))
    if padded:
        # Where there are no colours, something must tell.
        text.append("!" if block.wrong else " ", style)


def _fitted(label: str, length: int) -> str:
    """As much of a label's end as fits, since numbers differ in their last digits."""
    while cell_len(label) > length:
        label = label[1:]
    return " " * (length - cell_len(label)) + label


def _faded(draft: GraphDraft, vertex: int, color: str | None) -> str | None:
    if color is None or not draft.accepted or draft.accepted[vertex]:
        return color
    doubt = min(1.0, draft.entropy[vertex] / _CLUELESS) if draft.entropy else 0.0
    return between(color, _SHADE, 0.3 + 0.55 * doubt)


def _ends(edges: Iterable[Edge]) -> frozenset[int]:
    return frozenset(vertex for edge in edges for vertex in edge)


def _conflicts(count: int) -> str:
    return f"{_counted(count, 'conflict')} left"


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
