"""Graphs from files: which format they are in, and what all formats have in common."""

import contextlib
import gzip
import io
import json
import time
from pathlib import Path

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from solvers.graph.formats import MAX_CHARACTERS, Format, detect, parse_graph, read_graph
from solvers.graph.graph import Graph
from solvers.graph.named_graph import NamedGraph
from solvers.problem_error import ProblemError

TRIANGLE = Graph.create(3, [(0, 1), (0, 2), (1, 2)])


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    vertices = draw(st.integers(1, 9))
    pairs = [(a, b) for b in range(vertices) for a in range(b)]
    edges = draw(st.sets(st.sampled_from(pairs))) if pairs else set()
    return Graph.create(vertices, sorted(edges))


def numbers(graph: Graph) -> NamedGraph:
    return NamedGraph(graph, tuple(str(vertex + 1) for vertex in range(graph.vertices)))


def as_dimacs(graph: Graph) -> str:
    edges = [f"e {b + 1} {a + 1}" for a, b in graph.edges]
    return "\n".join([f"p edge {graph.vertices} {len(edges)}", *edges])


def as_edge_list(graph: Graph) -> str:
    lonely = [str(v + 1) for v, near in enumerate(graph.neighbours) if not near]
    return "\n".join([f"{b + 1} {a + 1}" for a, b in reversed(graph.edges)] + lonely)


def as_node_link(graph: Graph, edges: str = "edges") -> str:
    drawn = nx.Graph([(a + 1, b + 1) for a, b in graph.edges])
    document = nx.Graph()
    document.add_nodes_from(range(1, graph.vertices + 1))
    document.add_edges_from(drawn.edges)
    return json.dumps(nx.node_link_data(document, edges=edges))


@given(graphs())
def test_a_graph_reads_back_from_every_format(graph: Graph) -> None:
    for text in (as_dimacs(graph), as_edge_list(graph), as_node_link(graph)):
        assert parse_graph(text) == numbers(graph)


@given(graphs())
def test_edges_in_both_directions_are_merged(graph: Graph) -> None:
    both = "\n".join(f"e {a + 1} {b + 1}\ne {b + 1} {a + 1}" for a, b in graph.edges)
    assert parse_graph(f"p col {graph.vertices} 7\n{both}") == numbers(graph)


@given(st.text(), st.sampled_from([None, *Format]))
def test_whatever_is_read_is_a_graph_or_refused(text: str, written_as: Format | None) -> None:
    with contextlib.suppress(ProblemError):
        named = parse_graph(text, written_as)
        assert named.graph == Graph.create(named.graph.vertices, named.graph.edges)
        assert len(set(named.names)) == named.graph.vertices


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("c a comment\np edge 3 3\ne 1 2", Format.DIMACS),
        ("p col 3 1\r\np 1 2\r\n", Format.DIMACS),
        ("e 1 2\n", Format.DIMACS),
        ("p cnf 3 2\n", Format.DIMACS),
        ("c d\np q\ne f\n", Format.EDGE_LIST),
        ("1 2\n2 3\n", Format.EDGE_LIST),
        ("a,b\n", Format.EDGE_LIST),
        ("", Format.EDGE_LIST),
        ('\n {"nodes": []}', Format.NODE_LINK),
        ("[1, 2]", Format.NODE_LINK),
    ],
)
def test_the_format_is_told_from_the_content(text: str, expected: Format) -> None:
    assert detect(text) == expected


def test_a_named_format_wins_over_the_content() -> None:
    with pytest.raises(ProblemError, match=r"line 1: got '1 2', accepted: p edge N M"):
        parse_graph("1 2", Format.DIMACS)


@pytest.mark.parametrize("name", ["triangle.col", "triangle.col.gz"])
def test_a_file_is_read_with_its_byte_order_mark_and_line_ends(tmp_path: Path, name: str) -> None:
    content = "\ufeff" + as_dimacs(TRIANGLE).replace("\n", "\r\n")
    packed = content.encode()
    (tmp_path / name).write_bytes(gzip.compress(packed) if name.endswith("gz") else packed)
    assert read_graph(tmp_path / name) == numbers(TRIANGLE)


def test_an_open_stream_is_read_without_its_byte_order_mark() -> None:
    assert read_graph(io.StringIO("\ufeff" + as_edge_list(TRIANGLE))) == numbers(TRIANGLE)


class Endless(io.StringIO):
    """Gives as many characters as it is asked for; asking for all would never end."""

    def read(self, size: int | None = -1, /) -> str:
        assert size is not None
        assert size > 0
        return "1 2\n" * (size // 4 + 1)


def test_an_endless_file_is_refused_without_being_read() -> None:
    begun = time.perf_counter()
    with pytest.raises(ProblemError, match=f"graph: too long, accepted: up to {MAX_CHARACTERS}"):
        read_graph(Endless())
    assert time.perf_counter() - begun < 1


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("p edge 513 0\n" + "e 1 2\n" * 1_000_000, "line 1: 513 vertices, accepted: 1 to 512"),
        (
            "\n".join(f"{v} {v + 1}" for v in range(1_000_000)),
            "line 512: more than 512 different labels, accepted: 1 to 512 vertices",
        ),
        (
            json.dumps({"nodes": [{"id": v} for v in range(100_000)], "links": []}),
            "100000 nodes, accepted: 1 to 512",
        ),
    ],
)
def test_a_graph_too_large_is_refused_at_its_first_sign(text: str, complaint: str) -> None:
    begun = time.perf_counter()
    with pytest.raises(ProblemError, match=complaint):
        parse_graph(text)
    assert time.perf_counter() - begun < 1


@pytest.mark.parametrize("text", ["1 2\n", "\n", "1,2\n"])
def test_a_file_of_too_many_lines_is_refused(text: str) -> None:
    begun = time.perf_counter()
    with pytest.raises(ProblemError, match="line 524289: too many lines, accepted: up to 524288"):
        parse_graph(text * (MAX_CHARACTERS // len(text)))
    assert time.perf_counter() - begun < 5


def test_the_largest_graph_is_read_from_every_format() -> None:
    complete = Graph.create(512, [(a, b) for b in range(512) for a in range(b)])
    for text in (as_dimacs(complete), as_edge_list(complete), as_node_link(complete)):
        assert parse_graph(text) == numbers(complete)
