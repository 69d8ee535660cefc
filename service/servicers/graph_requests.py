"""Messages of the graph service as problems, every number checked under its path in the message.

The largest graphs take some tenths of a second: for threads, not for event loops.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

from inkfill.v1 import graph_pb2

from service.errors import invalid_argument
from solvers.graph.coloring.problem import MAX_COLORS, ColoringProblem
from solvers.graph.graph import MAX_VERTICES, Graph
from solvers.graph.hamiltonian.problem import HamiltonianProblem
from solvers.graph.independent_set.problem import IndependentSetProblem

P = TypeVar("P", ColoringProblem, IndependentSetProblem, HamiltonianProblem)

MAX_EDGES = MAX_VERTICES * (MAX_VERTICES - 1) // 2


def graph_from(message: graph_pb2.SimpleGraph) -> Graph:
    """A graph.

    Raises:
        WireError: there are too many edges.
        ProblemError: see ``Graph.create``.
    """
    if len(message.edges) > MAX_EDGES:
        raise invalid_argument(
            "graph.edges", f"got {len(message.edges)}, accepted: at most {MAX_EDGES}"
        )
    return Graph.create(message.vertices, ((edge.a, edge.b) for edge in message.edges))


def coloring_from(request: graph_pb2.ColorRequest) -> ColoringProblem:
    """A colouring; without a number of colours, and with ``minimize``, as many as vertices.

    Raises:
        WireError, ProblemError: a field is out of range or absent, or something is said twice.
    """
    graph = graph_from(request.graph)
    if not request.HasField("colors") and not request.minimize:
        raise invalid_argument(
            "colors", f"is absent, accepted: 1 to {MAX_COLORS}; it may be absent with minimize"
        )
    colors = request.colors if request.HasField("colors") else graph.vertices
    clamps = ((clamp.vertex, clamp.color) for clamp in request.clamps)
    return _examined(ColoringProblem.create(graph, colors, clamps))


def independent_set_from(request: graph_pb2.IndependentSetRequest) -> IndependentSetProblem:
    """An independent set; without a target size, of one vertex or more.

    Raises:
        WireError, ProblemError: a field is out of range, or something is said twice.
    """
    return _examined(_choice_from(request, graph_from(request.graph)))


def clique_from(request: graph_pb2.CliqueRequest) -> IndependentSetProblem:
    """A clique, as an independent set of the complement. Raises: see ``independent_set_from``."""
    return _examined(_choice_from(request, graph_from(request.graph).complement))


def vertex_cover_from(request: graph_pb2.VertexCoverRequest) -> IndependentSetProblem:
    """A vertex cover, as the independent set of what it leaves out.

    Raises:
        WireError, ProblemError: see ``independent_set_from``.
    """
    graph = graph_from(request.graph)
    target = request.target_size if request.HasField("target_size") else graph.vertices - 1
    if target >= graph.vertices:
        raise invalid_argument("target_size", f"got {target}, accepted: 0 to {graph.vertices - 1}")
    # Under the request's own names, so that what is refused is refused under them.
    cover = IndependentSetProblem.create(graph, 1, request.include, request.exclude)
    left_out = replace(
        cover,
        target_size=graph.vertices - target,
        include=cover.exclude,
        exclude=cover.include,
    )
    return _examined(left_out)


def path_from(request: graph_pb2.HamiltonianPathRequest) -> HamiltonianProblem:
    """A Hamiltonian path or cycle.

    Raises:
        WireError, ProblemError: a field is out of range, or something is said twice.
    """
    problem = HamiltonianProblem.create(
        graph_from(request.graph),
        cycle=request.cycle,
        start=request.start if request.HasField("start") else None,
        end=request.end if request.HasField("end") else None,
        clamps=((clamp.vertex, clamp.position) for clamp in request.clamps),
    )
    return _examined(problem)


def _examined(problem: P) -> P:
    """The problem, once it has made, in this thread, the matrix of its graph and its conflicts."""
    problem.conflicts()
    return problem


def _choice_from(
    request: graph_pb2.IndependentSetRequest | graph_pb2.CliqueRequest, graph: Graph
) -> IndependentSetProblem:
    target = request.target_size if request.HasField("target_size") else 1
    return IndependentSetProblem.create(graph, target, request.include, request.exclude)
