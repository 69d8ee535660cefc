"""Node-link JSON."""

import json
import re

import networkx as nx
import pytest

from solvers.graph.node_link import parse_node_link
from solvers.problem_error import ProblemError


@pytest.mark.parametrize("key", ["links", "edges"])
def test_what_networkx_writes_is_read(key: str) -> None:
    graph = nx.MultiGraph([("b", 7), (7, "b"), (7, 2.5)])
    graph.add_node("alone", color=3)
    named = parse_node_link(json.dumps(nx.node_link_data(graph, edges=key)))
    assert named.names == ("b", "7", "2.5", "alone")
    assert named.graph.edges == ((0, 1), (1, 2))


def test_ids_of_every_scalar_kind_are_named_as_json_writes_them() -> None:
    nodes = [{"id": "Åb c"}, {"id": 1}, {"id": 1.0}, {"id": True}, {"weight": 3}]
    links = [{"source": True, "target": 1}, {"source": 4, "target": "Åb c"}]
    named = parse_node_link(json.dumps({"nodes": nodes, "links": links}))
    assert named.names == ("Åb c", "1", "1.0", "true", "4")
    assert named.graph.edges == ((0, 4), (1, 3))


def document(**parts: object) -> str:
    return json.dumps({"nodes": [{"id": "a"}, {"id": "b"}], "links": [], **parts})


AB = {"source": "a", "target": "b"}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("{", "graph: line 1, column 2: Expecting property name"),
        ('{"nodes": [],\n "links" []}', "graph: line 2, column 10: Expecting ':' delimiter"),
        ("[1]", 'graph: JSON of another shape, accepted: an object with "nodes"'),
        ("[" * 200_000, "graph: JSON that cannot be read, accepted: an object"),
        ('{"nodes": [' + "1" * 5000 + "]}", "graph: JSON that cannot be read, accepted: an object"),
        ("{}", "graph.nodes: it is missing, accepted: an object"),
        (document(nodes={}), "graph.nodes: no list, accepted: an object"),
        (document(nodes=[]), "graph.nodes: 0 nodes, accepted: 1 to 512"),
        (document(nodes=["a"]), "graph.nodes[0]: got 'a', accepted: an object with an \"id\""),
        (document(nodes=[{"id": [1, 2]}]), "graph.nodes[0].id: got [1, 2], accepted: a string of"),
        (document(nodes=[{"id": None}]), "graph.nodes[0].id: got null, accepted: a string of"),
        (document(nodes=[{"id": ""}]), "graph.nodes[0].id: got '', accepted: a string of 1 to 80"),
        (document(nodes=[{"id": "\u202e"}]), "graph.nodes[0].id: got '\\u202e', accepted: a str"),
        (document(nodes=[{"id": 1}, {"id": "1"}]), "graph.nodes[1].id: '1' is also nodes[0], acc"),
        (document(directed=True), "graph.directed: a directed graph, accepted: false"),
        (document(edges=[]), 'graph.links: both "links" and "edges", accepted: one of them'),
        (document(links={}), "graph.links: no list, accepted: an object"),
        (document(links=[AB, 3]), 'graph.links[1]: got 3, accepted: an object with "source"'),
        (document(links=[{"source": "a"}]), "graph.links[0].target: it is missing, accepted: the"),
        (
            document(links=[AB, {"source": "a", "target": "c"}]),
            "graph.links[1].target: no node has the id 'c', accepted: the id of a node",
        ),
        (
            document(links=[{"source": "b", "target": "b"}]),
            "graph.links[0]: b-b is a self-loop, accepted: two nodes",
        ),
    ],
)
def test_what_is_malformed_is_refused_by_its_place(text: str, complaint: str) -> None:
    with pytest.raises(ProblemError, match="^" + re.escape(complaint)):
        parse_node_link(text)
