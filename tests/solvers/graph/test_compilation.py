"""What is compiled ahead is what a caller's first search needs."""

import numpy as np

from engine.kernels.compilation import watch_compilation
from solvers.graph.cliques import large_clique
from solvers.graph.coloring.completion import complete as color
from solvers.graph.coloring.problem import ColoringProblem
from solvers.graph.compilation import compile_searches
from solvers.graph.independent_set import exact
from solvers.graph.independent_set.problem import IndependentSetProblem
from solvers.stop import Stop
from tests.solvers.graph.reference import queen, random_graph


def test_a_first_search_compiles_nothing() -> None:
    compile_searches()
    compiled: list[str] = []
    with watch_compilation(lambda: compiled.append("something")):
        large_clique(random_graph(40, 0.5, 0))
        belief = np.full((25, 32), 1 / 32, np.float32)
        color(ColoringProblem(queen(5), 5), belief, 0, 5.0, Stop())
        color(ColoringProblem(queen(5), 4), None, 0, 5.0, Stop())
        sparse = IndependentSetProblem(random_graph(60, 0.1, 1), 40)
        exact.complete(sparse, None, 2**62, 5.0, Stop())
        exact.maximise(sparse, None, 0, 5.0)
    assert not compiled
