"""Edge lists."""

import io

import networkx as nx
import pytest

from solvers.graph.edge_list import parse_edge_list
from solvers.problem_error import ProblemError


def test_labels_name_the_vertices_in_the_order_in_which_they_appear() -> None:
    named = parse_edge_list("# towns\nDelft Leiden\n\nLeiden Gouda  # a railway\nTexel\n")
    assert named.names == ("Delft", "Leiden", "Gouda", "Texel")
    assert named.graph.edges == ((0, 1), (1, 2))


def test_integers_are_in_numeric_order() -> None:
    named = parse_edge_list("10 9\n9 -1\n2\n")
    assert named.names == ("-1", "2", "9", "10")
    assert named.graph.edges == ((0, 2), (2, 3))


def test_one_label_that_is_no_integer_keeps_the_order_of_all() -> None:
    assert parse_edge_list("10 9\n9 b\n").names == ("10", "9", "b")


def test_labels_between_commas_may_hold_blanks() -> None:
    named = parse_edge_list(
        'source,target\nDen Haag, Delft\n"Capelle, IJssel",Delft\n"Nieuw Land"\nUrk\n'
    )
    assert named.names == ("Den Haag", "Delft", "Capelle, IJssel", "Nieuw Land", "Urk")
    assert named.graph.edges == ((0, 1), (1, 2))


def test_a_hash_within_a_word_is_part_of_it() -> None:
    assert parse_edge_list("C# F#\nF# A #minor\n").names == ("C#", "F#", "A")


def test_what_networkx_writes_is_read() -> None:
    graph = nx.path_graph(4)
    nx.set_edge_attributes(graph, {(0, 1): {"weight": 2, "way": "up"}})
    written = io.BytesIO()
    nx.write_edgelist(graph, written)
    named = parse_edge_list(written.getvalue().decode())
    assert named.names == ("0", "1", "2", "3")
    assert named.graph.edges == ((0, 1), (1, 2), (2, 3))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "no vertex in it, accepted: lines with two labels"),
        ("# nothing\n", "no vertex in it, accepted: lines with two labels"),
        ("a b\nb c 3\n", r"line 2: got 'b c 3', accepted: two labels for an edge or one"),
        ("a,b\n\nb,c,3\n", r"line 3: got 'b,c,3', accepted: two labels for an edge or one"),
        ("a b\nb,c\n", "line 1: 'a b' has no comma, but other lines have, accepted: commas in all"),
        ("a,b\n,c\n", "line 2: got the label '', accepted: 1 to 80 printable characters"),
        ("a b\nc c\n", r"line 2: edge c-c is a self-loop, accepted: two labels"),
        (f"a {'b' * 81}", r"line 1: got the label 'b{40}\.\.\.', accepted: 1 to 80"),
        ("a \x1b[31m", r"line 1: got the label '\\x1b\[31m', accepted: 1 to 80 printable"),
        ("graph [\nnode [\nid 0\n]\n]", r"line 1: got the label '\[', accepted: 1 to 80"),
        (f"a,{'b' * 200_000}", r"line 1: got the label 'a,b{38}\.\.\.', accepted: 1 to 80"),
    ],
)
def test_a_bad_line_is_refused_by_its_number(text: str, complaint: str) -> None:
    with pytest.raises(ProblemError, match=f"^graph: {complaint}"):
        parse_edge_list(text)
