"""Requests on small graphs for every method of the graph service."""

import networkx as nx
from inkfill.v1 import common_pb2, graph_pb2

from tests.service.graphs import message

Color = graph_pb2.ColorRequest
Independent = graph_pb2.IndependentSetRequest
Clique = graph_pb2.CliqueRequest
Cover = graph_pb2.VertexCoverRequest
Path = graph_pb2.HamiltonianPathRequest
ColorClamp = graph_pb2.ColorClamp
PositionClamp = graph_pb2.PositionClamp

#: One candidate, where canvases and drafts are counted.
ONE = common_pb2.Effort(candidates=1)
DRAFTS_ONLY = common_pb2.Effort(candidates=1, exact_fallback=False)
RING = message(nx.cycle_graph(5))
STAR = message(nx.complement(nx.cycle_graph(5)))
PATH = message(nx.path_graph(4))
COMPLETE = message(nx.complete_graph(4))

#: Each method, and a request that is answered by what ``shows`` says.
ANSWERED = {
    "Color": (Color(graph=RING, colors=3, effort=ONE), (0, 1, 2, 0, 1)),
    "ColorStream": (Color(graph=RING, colors=3, effort=ONE), (0, 1, 2, 0, 1)),
    "IndependentSet": (Independent(graph=RING, target_size=2, effort=ONE), (1, 0, 1, 0, 0)),
    "IndependentSetStream": (Independent(graph=RING, target_size=2, effort=ONE), (1, 0, 1, 0, 0)),
    "Clique": (Clique(graph=RING, target_size=2, effort=ONE), (0, 1, 1, 0, 0)),
    "VertexCover": (Cover(graph=RING, target_size=3, effort=ONE), (1, 0, 1, 0, 0)),
    "HamiltonianPath": (Path(graph=STAR, effort=ONE), (0, 3, 1, 4, 2)),
    "HamiltonianPathStream": (Path(graph=STAR, effort=ONE), (0, 3, 1, 4, 2)),
}


def drafts_only(request: object) -> object:
    """The request with one candidate and without exact search."""
    copy = type(request)()
    copy.CopyFrom(request)
    copy.effort.MergeFrom(DRAFTS_ONLY)
    return copy


def graph(vertices: int, *edges: tuple[int, int]) -> graph_pb2.SimpleGraph:
    return graph_pb2.SimpleGraph(
        vertices=vertices, edges=[graph_pb2.Edge(a=a, b=b) for a, b in edges]
    )
