"""What the command line shows of an answer to a question on a graph."""

from inkfill.v1 import graph_pb2

from service.commands.choice_view import ChoiceView, Kind
from service.commands.coloring_view import ColoringView
from service.commands.graph_view import pairs_line
from service.commands.tour_view import TourView
from solvers.graph.formats import parse_graph
from tests.service.graphs import KITE


def test_a_bound_that_is_not_reached_is_told() -> None:
    named = parse_graph(KITE)
    colored = graph_pb2.ColorResponse(outcome="SOLVED", colors_used=4, lower_bound=3)
    assert list(ColoringView(named, 4, {}).facts(colored)) == [
        "4 colours used",
        "at least 3 needed",
    ]
    chosen = graph_pb2.IndependentSetResponse(outcome="SOLVED", vertices=[1], upper_bound=2)
    view = ChoiceView(named, Kind.INDEPENDENT_SET, None, (), ())
    assert list(view.facts(chosen)) == ["1 chosen", "at most 2 possible"]
    cover = graph_pb2.VertexCoverResponse(outcome="SOLVED", vertices=[0, 1, 2], lower_bound=2)
    view = ChoiceView(named, Kind.VERTEX_COVER, None, (), ())
    assert list(view.facts(cover)) == ["3 chosen", "at least 2 needed"]


def test_what_is_undecided_without_a_draft_says_so() -> None:
    named = parse_graph(KITE)
    none = [
        (ColoringView(named, 4, {}), graph_pb2.ColorResponse(outcome="UNDECIDED")),
        (
            ChoiceView(named, Kind.CLIQUE, None, (), ()),
            graph_pb2.CliqueResponse(outcome="UNDECIDED"),
        ),
        (
            TourView(named, False, {}),
            graph_pb2.HamiltonianPathResponse(outcome="UNDECIDED"),
        ),
    ]
    for view, response in none:
        assert list(view.facts(response)) == ["no draft"]
        assert list(view.lines(response)) == []
        assert list(view.conflicts(response)) == []
        assert view.picture(response, "").bad_edges == ()


def test_the_conflicts_of_a_draft_are_those_of_its_kind() -> None:
    named = parse_graph(KITE)
    draft = {"outcome": "UNDECIDED", "vertices": [0, 1, 3]}
    conflicts = {
        Kind.INDEPENDENT_SET: (graph_pb2.IndependentSetResponse(**draft), [(0, 1)]),
        Kind.CLIQUE: (graph_pb2.CliqueResponse(**draft), [(0, 3), (1, 3)]),
    }
    for kind, (response, expected) in conflicts.items():
        assert ChoiceView(named, kind, None, (), ()).conflicts(response) == expected
    cover = graph_pb2.VertexCoverResponse(outcome="UNDECIDED", vertices=[2])
    assert ChoiceView(named, Kind.VERTEX_COVER, None, (), ()).conflicts(cover) == [(0, 1)]
    tour = graph_pb2.HamiltonianPathResponse(outcome="UNDECIDED", vertices=[3, 2, 0, 1])
    assert TourView(named, False, {}).conflicts(tour) == []
    assert TourView(named, True, {}).conflicts(tour) == [(1, 3)]


def test_of_many_conflicts_some_are_named_and_the_others_counted() -> None:
    named = parse_graph("\n".join(f"{a} {a + 1}" for a in range(20)))
    line = str(pairs_line(named, [(a, a + 1) for a in range(11)]))
    assert line.startswith("conflicts: 0-1, 1-2, ")
    assert line.endswith("7-8 and 3 more")


def test_vertices_that_are_given_are_bold_and_ringed() -> None:
    named = parse_graph(KITE)
    shown = [
        (
            ColoringView(named, 4, {3: 1}),
            graph_pb2.ColorResponse(outcome="SOLVED", vertex_colors=[1, 2, 0, 1]),
        ),
        (
            ChoiceView(named, Kind.INDEPENDENT_SET, None, (3,), ()),
            graph_pb2.IndependentSetResponse(outcome="SOLVED", vertices=[0, 3]),
        ),
        (
            TourView(named, False, {3: 3}),
            graph_pb2.HamiltonianPathResponse(outcome="SOLVED", vertices=[0, 1, 2, 3]),
        ),
    ]
    for view, response in shown:
        bold = [
            line.plain[span.start : span.end]
            for line in view.lines(response)
            for span in line.spans
            if span.style == "bold"
        ]
        assert bold == ["dora lee"]
        assert view.picture(response, "").given == {3}
