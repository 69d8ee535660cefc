"""Graphs for tests, and models of random weights that fill them in."""

import networkx as nx
import torch
from inkfill.v1 import graph_pb2

from engine.checkpoint import Checkpoint
from engine.generation import GenerationParams
from engine.model import DiffusionGemma
from solvers.graph.coloring import codec as coloring
from solvers.graph.hamiltonian import codec as hamiltonian
from solvers.graph.independent_set import codec as independent_set
from solvers.graph.network import graph_config

#: A triangle with a tail, as a file spells it.
KITE = "ada,bob\nbob,cy\ncy,ada\ncy,dora lee\n"

VOCABULARIES = {
    "coloring": coloring.VOCABULARY,
    "independent-set": independent_set.VOCABULARY,
    "hamiltonian": hamiltonian.VOCABULARY,
}


def random_checkpoints() -> dict[str, Checkpoint]:
    """One for each task, named like it; guidance makes up for what they have not learned."""
    return {task: _random_checkpoint(task, size) for task, size in VOCABULARIES.items()}


def _random_checkpoint(task: str, vocabulary: int) -> Checkpoint:
    model = DiffusionGemma(graph_config(task, vocabulary, width=16, depth=1))
    model.init_weights(torch.Generator().manual_seed(0))
    model.requires_grad_(False).eval()
    return Checkpoint(
        config=model.config, model=model, digest="0" * 64, generation=GenerationParams()
    )


def message(graph: nx.Graph) -> graph_pb2.SimpleGraph:
    edges = [graph_pb2.Edge(a=a, b=b) for a, b in graph.edges]
    return graph_pb2.SimpleGraph(vertices=len(graph), edges=edges)


def pairs(edges: object) -> list[tuple[int, int]]:
    return [(edge.a, edge.b) for edge in edges]
