"""Graphs as the node-link JSON of networkx and of D3."""

from __future__ import annotations

import json
from collections.abc import Sequence

from solvers.graph.graph import MAX_VERTICES, Edge
from solvers.graph.lines import cut, shown
from solvers.graph.named_graph import MAX_NAME, NamedGraph, is_name
from solvers.problem_error import ProblemError

_SCALAR = f"a string of 1 to {MAX_NAME} printable characters, a number, true or false"
_SHAPE = 'an object with "nodes" and "links" (or "edges")'


def parse_node_link(text: str) -> NamedGraph:
    """Read ``{"nodes": [{"id": ...}, ...], "links": [{"source": ..., "target": ...}, ...]}``.

    A node without an id has its index for one. Ids that are no strings are named as JSON writes
    them. Other attributes are skipped; parallel edges are merged.

    Args:
        text: the file.

    Raises:
        ProblemError: ``graph``, with line and column: it is no JSON. ``graph.nodes[i]``,
            ``graph.links[i]``, ``graph.links[i].source`` and so on: an id is no scalar or there
            twice, a link leads to no node or to its own. ``graph.directed``: the graph is
            directed. ``graph.nodes``: there are too many or none.
    """
    document = _document(text)
    if document.get("directed"):
        raise ProblemError("graph.directed", "a directed graph, accepted: false")
    names = _names(_list(document, "nodes"))
    if "links" in document and "edges" in document:
        raise ProblemError("graph.links", 'both "links" and "edges", accepted: one of them')
    key = "links" if "links" in document else "edges"
    vertex_of = {name: vertex for vertex, name in enumerate(names)}
    links = enumerate(_list(document, key))
    edges = {_edge(f"graph.{key}[{index}]", link, vertex_of) for index, link in links}
    return NamedGraph.merged(names, edges)


def _document(text: str) -> dict[str, object]:
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise ProblemError("graph", f"{where}: {error.msg}, accepted: {_SHAPE}") from None
    except (ValueError, RecursionError):  # an endless number, or endless brackets
        raise ProblemError("graph", f"JSON that cannot be read, accepted: {_SHAPE}") from None
    if not isinstance(document, dict):
        raise ProblemError("graph", f"JSON of another shape, accepted: {_SHAPE}")
    return document


def _list(document: dict[str, object], key: str) -> Sequence[object]:
    value = document.get(key)
    if not isinstance(value, list):
        got = "no list" if key in document else "it is missing"
        raise ProblemError(f"graph.{key}", f"{got}, accepted: {_SHAPE}, which are lists")
    return value


def _names(nodes: Sequence[object]) -> list[str]:
    if not 1 <= len(nodes) <= MAX_VERTICES:
        raise ProblemError("graph.nodes", f"{len(nodes)} nodes, accepted: 1 to {MAX_VERTICES}")
    index_of: dict[str, int] = {}
    for index, node in enumerate(nodes):
        field = f"graph.nodes[{index}]"
        if not isinstance(node, dict):
            raise ProblemError(field, f'got {_shown(node)}, accepted: an object with an "id"')
        name = _name(f"{field}.id", node.get("id", index))
        first = index_of.setdefault(name, index)
        if first != index:
            raise ProblemError(
                f"{field}.id", f"{shown(name)} is also nodes[{first}], accepted: each id once"
            )
    return list(index_of)


def _edge(field: str, link: object, vertex_of: dict[str, int]) -> Edge:
    if not isinstance(link, dict):
        accepted = 'an object with "source" and "target"'
        raise ProblemError(field, f"got {_shown(link)}, accepted: {accepted}")
    ends = []
    for key in ("source", "target"):
        if key not in link:
            raise ProblemError(f"{field}.{key}", "it is missing, accepted: the id of a node")
        name = _name(f"{field}.{key}", link[key])
        if name not in vertex_of:
            raise ProblemError(
                f"{field}.{key}", f"no node has the id {shown(name)}, accepted: the id of a node"
            )
        ends.append(vertex_of[name])
    if ends[0] == ends[1]:
        raise ProblemError(field, f"{name}-{name} is a self-loop, accepted: two nodes")
    return min(ends), max(ends)


def _name(field: str, value: object) -> str:
    name = value.strip() if isinstance(value, str) else _json(value)
    if isinstance(value, dict | list) or value is None or not is_name(name):
        raise ProblemError(field, f"got {_shown(value)}, accepted: {_SCALAR}")
    return name


def _shown(value: object) -> str:
    return shown(value) if isinstance(value, str) else cut(_json(value))


def _json(value: object) -> str:
    return json.dumps(value)
