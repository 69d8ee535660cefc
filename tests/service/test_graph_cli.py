"""The command line on graphs, each test a whole command against a server of untrained models.

Exact search makes up for what they have not learned; what they leave undecided is a draft.
"""

import gzip
import io
import itertools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import networkx as nx
import pytest
from inkfill.v1 import graph_pb2
from rich.console import Console
from typer.testing import CliRunner, Result

from engine.engine import Engine
from engine.limits import EngineLimits
from service.commands import graph_question
from service.commands.app import app
from service.commands.choice_view import ChoiceView, Kind
from service.commands.coloring_view import ColoringView
from service.commands.graph_view import pairs_line
from service.commands.tour_view import TourView
from service.logging import configure_logging
from service.loop_thread import LoopThread
from service.server import Server
from service.settings import load_settings
from solvers.graph.coloring.solver import ColoringSolver
from solvers.graph.formats import parse_graph
from solvers.graph.hamiltonian.solver import HamiltonianSolver
from solvers.graph.independent_set.solver import IndependentSetSolver
from tests.service.fakes import GRAPHS, SUDOKU, FakeEngine
from tests.service.graphs import random_checkpoints

DOCS = Path(__file__).parents[2] / "docs"
PETERSEN = str(DOCS / "petersen.col")
#: A triangle with a tail.
KITE = "ada,bob\nbob,cy\ncy,ada\ncy,dora lee\n"
#: Ends before the model has learned to colour anything, which it will not.
DRAFT = ("--guidance", "none", "--no-exact", "--max-steps", "2", "--seed", "5")


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with Engine(random_checkpoints(), EngineLimits(max_batch=8, max_queue=64)) as engine:
        yield from serving(engine)


@pytest.fixture(autouse=True)
def _quiet_servers() -> None:
    """Servers in this process would log among what commands print."""
    configure_logging("warning", "console")


@pytest.fixture
def kite(tmp_path: Path) -> str:
    path = tmp_path / "kite.csv"
    path.write_text(KITE)
    return str(path)


def serving(engine: Engine | FakeEngine) -> Iterator[str]:
    async def started() -> Server:
        return await Server(engine, load_settings(port=0)).__aenter__()

    loop = LoopThread()
    server = loop.call(started())
    yield server.address
    loop.call(server.stop(0))
    loop.stop()


def inkfill(*arguments: str, stdin: str | bytes | None = None) -> Result:
    return CliRunner().invoke(app, list(arguments), input=stdin)


def classes_in(lines: list[str]) -> list[set[str]]:
    """The vertices of each ``colour C: ...`` line."""
    named = [line for line in lines if line.startswith("colour ")]
    return [set(line.partition(": ")[2].split(", ")) for line in named]


def texts_in(svg: Path) -> list[str]:
    return [element.text or "" for element in ElementTree.parse(svg).iter() if element.text]


def colors_classes_of(lines: list[str]) -> dict[str, int]:
    return {name: index for index, names in enumerate(classes_in(lines)) for name in names}


def test_a_graph_is_coloured_in_as_few_colours_as_possible(address: str) -> None:
    for options in ([], ["--colors", "7", "--minimize"]):
        result = inkfill("color", PETERSEN, *options, "--server", address)
        assert result.exit_code == 0
        lines = result.stdout.splitlines()
        assert lines[0].startswith("SOLVED by ")
        assert "3 colours used, proved the least, " in lines[0]
        assert " ms, seed " in lines[0]
        color_of = colors_classes_of(lines)
        assert sorted(color_of, key=int) == [str(v) for v in range(1, 11)]
        assert all(color_of[str(a + 1)] != color_of[str(b + 1)] for a, b in edges_of(PETERSEN))


def edges_of(file: str) -> tuple[tuple[int, int], ...]:
    return parse_graph(Path(file).read_text()).graph.edges


def test_a_number_of_colours_is_kept_to_and_given_colours_are_kept(address: str, kite: str) -> None:
    clamps = ("--clamp", "dora lee=1", "--clamp", "ada=2")
    result = inkfill("color", kite, "--colors", "3", *clamps, "--server", address)
    assert result.exit_code == 0
    assert "3 colours used, " in result.stdout
    assert "proved" not in result.stdout
    assert result.stdout.splitlines()[1:] == [
        "colour 0: cy",
        "colour 1: bob, dora lee",
        "colour 2: ada",
    ]


def test_a_name_may_contain_what_separates_it_from_its_colour(address: str) -> None:
    clamp = ("--colors", "2", "--clamp", "a=1=0")
    result = inkfill("color", "-", *clamp, "--server", address, stdin="a=1 b\n")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[1:] == ["colour 0: a=1", "colour 1: b"]


def test_too_few_colours_exit_with_1(address: str) -> None:
    result = inkfill("color", PETERSEN, "--colors", "2", "--server", address)
    assert result.exit_code == 1
    assert result.stdout.startswith("UNSATISFIABLE by ")
    assert "2 colours cannot be enough" in result.stdout
    assert len(result.stdout.splitlines()) == 1


def test_given_colours_that_clash_are_named(address: str, kite: str) -> None:
    clamps = ("--clamp", "ada=0", "--clamp", "cy=0")
    result = inkfill("color", kite, *clamps, "--server", address)
    assert result.exit_code == 1
    assert result.stdout.startswith("UNSATISFIABLE, clamps clash, ")
    assert result.stdout.splitlines()[1:] == ["conflicts: ada-cy"]


def test_a_draft_is_shown_as_one_and_drawn_as_one(address: str, tmp_path: Path) -> None:
    picture = tmp_path / "draft.svg"
    drawn = ("--svg", str(picture))
    result = inkfill("color", PETERSEN, "--colors", "3", *DRAFT, *drawn, "--server", address)
    assert result.exit_code == 1
    first, *lines = result.stdout.splitlines()
    color_of = colors_classes_of(lines)
    bad = [f"{a + 1}-{b + 1}" for a, b in edges_of(PETERSEN) if same(color_of, a, b)]
    assert bad
    assert first.startswith(f"UNDECIDED, the best draft has {len(bad)} conflict")
    assert set(bad) >= set(lines[-1].removeprefix("conflicts: ").partition(" and ")[0].split(", "))
    (caption,) = (text for text in texts_in(picture) if "draft" in text)
    assert caption.startswith(f"UNDECIDED, the best draft has {len(bad)} conflict")


def same(color_of: dict[str, int], a: int, b: int) -> bool:
    return color_of[str(a + 1)] == color_of[str(b + 1)]


def test_the_picture_shows_names_and_the_same_answer(address: str, tmp_path: Path) -> None:
    picture = tmp_path / "coloured.svg"
    result = inkfill("color", PETERSEN, "--svg", str(picture), "--server", address)
    assert result.exit_code == 0
    assert "SOLVED, 3 colours used, proved the least" in texts_in(picture)
    fill = {
        group.findtext("{*}title"): circle.get("fill")
        for group in ElementTree.parse(picture).iter("{http://www.w3.org/2000/svg}g")
        if (circle := group.find("{*}circle")) is not None
    }
    classes = [{fill[name] for name in names} for names in classes_in(result.stdout.splitlines())]
    assert [len(fills) for fills in classes] == [1, 1, 1]
    assert len(set.union(*classes)) == 3


def test_json_is_the_response_message_on_one_line(address: str) -> None:
    given = ("--seed", "7", "--watch", "--json", "--server", address)
    result = inkfill("color", PETERSEN, *given)
    assert result.exit_code == 0
    (line,) = result.stdout.splitlines()
    answer = json.loads(line)
    assert answer["outcome"] == "SOLVED"
    assert (answer["colors_used"], answer["proved_optimal"], answer["lower_bound"]) == (3, True, 3)
    assert all(
        answer["vertex_colors"][a] != answer["vertex_colors"][b] for a, b in edges_of(PETERSEN)
    )
    assert answer["report"]["seed"] == "7"


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ([], "independent set: "),
        (["--clique"], "clique: "),
        (["--vertex-cover"], "vertex cover: "),
    ],
)
def test_the_best_choice_is_proved(address: str, kite: str, options: list[str], line: str) -> None:
    result = inkfill("independent-set", kite, *options, "--server", address)
    assert result.exit_code == 0
    size, word = {"clique: ": (3, "most"), "vertex cover: ": (2, "fewest")}.get(line, (2, "most"))
    first, chosen = result.stdout.splitlines()
    assert f"{size} chosen, proved the {word}, " in first
    names = set(chosen.removeprefix(line).split(", "))
    assert len(names) == size
    pairs = [set(text.split(",")) for text in KITE.splitlines()]
    if line == "clique: ":
        assert names == {"ada", "bob", "cy"}
    elif line == "vertex cover: ":
        assert all(names & pair for pair in pairs)
    else:
        assert not any(names >= pair for pair in pairs)


def test_what_is_included_and_excluded_is_kept_to(address: str, kite: str) -> None:
    conditions = ("--size", "2", "--include", "dora lee", "--exclude", "ada")
    result = inkfill("independent-set", kite, *conditions, "--server", address)
    assert result.exit_code == 0
    assert result.stdout.splitlines()[1] == "independent set: bob, dora lee"


@pytest.mark.parametrize(
    ("options", "fact", "rest"),
    [
        (["--size", "3"], "no independent set of 3 or more", []),
        (["--clique", "--size", "4"], "no clique of 4 or more", []),
        (["--vertex-cover", "--size", "1"], "no vertex cover of 1 or fewer", []),
        (
            ["--include", "ada", "--include", "bob"],
            "included vertices clash",
            ["conflicts: ada-bob"],
        ),
        (
            ["--vertex-cover", "--exclude", "ada", "--exclude", "bob"],
            "excluded vertices clash",
            ["conflicts: ada-bob"],
        ),
    ],
)
def test_a_choice_that_cannot_be_exits_with_1(
    address: str, kite: str, options: list[str], fact: str, rest: list[str]
) -> None:
    result = inkfill("independent-set", kite, *options, "--server", address)
    assert result.exit_code == 1
    first, *lines = result.stdout.splitlines()
    assert first.startswith("UNSATISFIABLE")
    assert f", {fact}, " in first
    assert lines == rest


def test_a_path_visits_every_vertex_from_its_start_to_its_end(address: str) -> None:
    ends = ("--start", "1", "--end", "3", "--clamp", "5=1")
    result = inkfill("hamiltonian", PETERSEN, *ends, "--server", address)
    assert result.exit_code == 0
    first, path = result.stdout.splitlines()
    assert "a path of 10 vertices" in first
    way = path.removeprefix("path: ").split(" → ")
    assert (way[:2], way[-1]) == (["1", "5"], "3")
    assert sorted(map(int, way)) == list(range(1, 11))
    edges = edges_of(PETERSEN)
    steps = [tuple(sorted((int(a) - 1, int(b) - 1))) for a, b in itertools.pairwise(way)]
    assert set(steps) <= set(edges)


def test_a_cycle_is_shown_to_its_start_again(address: str, tmp_path: Path) -> None:
    picture = tmp_path / "cycle.svg"
    ring = "a b\nb c\nc d\nd a\na c\n"
    common = ("--cycle", "--start", "a", "--clamp", "b=1", "--svg", str(picture))
    result = inkfill("hamiltonian", "-", *common, "--server", address, stdin=ring)
    assert result.exit_code == 0
    assert result.stdout.splitlines()[1] == "cycle: a → b → c → d → a"
    assert "SOLVED, a cycle of 4 vertices" in texts_in(picture)


def test_that_there_is_no_cycle_is_proved(address: str) -> None:
    result = inkfill("hamiltonian", PETERSEN, "--cycle", "--server", address)
    assert result.exit_code == 1
    assert "UNSATISFIABLE by exact, there is no Hamiltonian cycle" in result.stdout


def test_places_that_no_edge_joins_are_named(address: str, kite: str) -> None:
    given = ("--start", "ada", "--clamp", "dora lee=1")
    result = inkfill("hamiltonian", kite, *given, "--server", address)
    assert result.exit_code == 1
    assert result.stdout.startswith("UNSATISFIABLE, clamps clash, ")
    assert result.stdout.splitlines()[1:] == ["conflicts: ada-dora lee"]


@pytest.mark.parametrize(
    ("command", "shown", "left"),
    [
        (["color", "--colors", "3"], "3 colours, step 1, diffusion", "colours used"),
        (["independent-set", "--size", "4"], "4 wanted, step 1, diffusion", "chosen"),
        (["hamiltonian"], "step 1, diffusion", "of 10 places filled"),
    ],
)
def test_watching_draws_the_steps_and_wipes_them(
    address: str, monkeypatch: pytest.MonkeyPatch, command: list[str], shown: str, left: str
) -> None:
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=80, height=24, color_system=None)
    monkeypatch.setattr(graph_question, "out", console)
    name, *options = command
    result = inkfill(name, PETERSEN, *options, *DRAFT, "--watch", "--server", address)
    assert result.exit_code in (0, 1)
    assert shown in file.getvalue()
    assert left in file.getvalue()
    assert "step" not in file.getvalue().split("\x1b[2K")[-1]
    assert result.stdout.splitlines()[0].split()[0] in ("SOLVED", "UNDECIDED,")
    assert "step 1, " not in result.stdout


def test_a_graph_may_be_gzipped_and_in_any_format(address: str, tmp_path: Path) -> None:
    zipped = tmp_path / "ring.txt.gz"
    zipped.write_bytes(gzip.compress(b"x y\ny z\nz x\n"))
    linked = tmp_path / "ring"
    linked.write_text(json.dumps(nx.node_link_data(nx.cycle_graph(3), edges="links")))
    for file, options in ((zipped, []), (linked, []), (linked, ["--format", "node-link"])):
        result = inkfill("color", str(file), *options, "--server", address)
        assert result.exit_code == 0
        assert "3 colours used" in result.stdout


def test_the_format_that_is_named_is_the_one_that_is_read(address: str) -> None:
    result = inkfill("color", PETERSEN, "--format", "edges", "--server", address)
    assert result.exit_code == 2
    assert "petersen.col: graph: line 1: " in " ".join(result.stderr.split())


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["color", "no-such-file"], "no-such-file: No such file"),
        (["color", "KITE", "--colors", "0"], "'--colors'"),
        (["color", "KITE", "--colors", "513"], "'--colors'"),
        (["color", "KITE", "--clamp", "ada"], "got 'ada', accepted: a vertex and its color, NAME="),
        (["color", "KITE", "--clamp", "ada=-1"], "got 'ada=-1', accepted: a vertex and its color"),
        (["color", "KITE", "--clamp", "eve=1"], "--clamp: no vertex is named 'eve', accepted: ada"),
        (["color", "KITE", "--clamp", "ada=4"], "--clamp ada=4: color 4, accepted: 0 to 3"),
        (
            ["color", "KITE", "--colors", "2", "--clamp", "ada=2"],
            "--clamp ada=2: color 2, accepted: 0 to 1",
        ),
        (
            ["color", "KITE", "--clamp", "ada=1", "--clamp", "ada=2"],
            "--clamp ada=2: ada has color 1 already",
        ),
        (["color", "KITE", "--max-steps", "0"], "effort.max_steps: got 0, accepted: 1 to 1024"),
        (["color", "KITE", "--timeout", "0"], "--timeout: got 0, accepted: above 0"),
        (["color", "KITE", "--server", "localhost"], "accepted: host:port"),
        (["color", "KITE", "--svg", "no-such-folder/a.svg"], "--svg: got 'no-such-folder/a.svg'"),
        (["color", "KITE", "--format", "gml"], "'--format'"),
        (["independent-set", "KITE", "--size", "0"], "--size: got 0, accepted: 1 to 4"),
        (["independent-set", "KITE", "--size", "5"], "--size: got 5, accepted: 1 to 4"),
        (
            ["independent-set", "KITE", "--vertex-cover", "--size", "4"],
            "--size: got 4, accepted: 0 to 3",
        ),
        (["independent-set", "KITE", "--include", "eve"], "--include: no vertex is named 'eve'"),
        (
            ["independent-set", "KITE", "--include", "ada", "--exclude", "ada"],
            "--exclude: ada is also included, accepted: one of them",
        ),
        (["independent-set", "KITE", "--clique", "--vertex-cover"], "--vertex-cover: got --clique"),
        (["independent-set", "KITE", "--clique", "--watch"], "--watch: got a clique, accepted: an"),
        (["hamiltonian", "KITE", "--start", "eve"], "--start: no vertex is named 'eve'"),
        (["hamiltonian", "KITE", "--clamp", "ada=4"], "--clamp ada=4: place 4, accepted: 0 to 3"),
        (
            ["hamiltonian", "KITE", "--start", "ada", "--end", "ada"],
            "ada is given places 0 and 3, accepted: one place a vertex",
        ),
        (
            ["hamiltonian", "KITE", "--start", "ada", "--clamp", "bob=0"],
            "place 0 is given to bob and ada, accepted: one vertex a place",
        ),
    ],
)
def test_bad_input_exits_with_2_and_says_what_is_accepted(
    kite: str, arguments: list[str], complaint: str
) -> None:
    result = inkfill(*(kite if each == "KITE" else each for each in arguments))
    assert result.exit_code == 2
    assert complaint in " ".join(result.stderr.replace("│", " ").split())


def test_a_file_of_other_bytes_is_bad_input(tmp_path: Path) -> None:
    (tmp_path / "broken.gz").write_bytes(gzip.compress(KITE.encode())[:-9])
    (tmp_path / "spoilt.gz").write_bytes(gzip.compress(KITE.encode())[:10] + b"\xff" * 40)
    (tmp_path / "text.gz").write_text(KITE)
    (tmp_path / "loop.txt").write_text("a b\nb b\n")
    for name in ("broken.gz", "spoilt.gz", "text.gz", "loop.txt"):
        result = inkfill("color", str(tmp_path / name))
        assert result.exit_code == 2
        assert name in result.stderr.replace("\n", "")
    assert inkfill("color", "-", stdin=b"\xe9 b\n").exit_code == 2


def test_a_closed_standard_input_holds_no_graph(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.commands.graph_options.sys.stdin", None)
    assert inkfill("color", "-").exit_code == 2


def test_a_terminal_is_told_that_an_answer_is_on_its_way(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()
    terminal = Console(file=screen, force_terminal=True, width=60)
    monkeypatch.setattr("service.commands.graph_question.err", terminal)
    for address in serving(FakeEngine(infos=GRAPHS)):
        inkfill("color", PETERSEN, "--server", address)
    assert "solving" in screen.getvalue()


@pytest.mark.parametrize(
    ("infos", "command"),
    [((SUDOKU,), ("color", PETERSEN)), (GRAPHS, ("sudoku", "1.....3..4.....2"))],
)
def test_a_server_without_a_model_for_a_command_is_said_to_have_none(infos, command) -> None:
    for address in serving(FakeEngine(infos=infos)):
        result = inkfill(*command, "--server", address)
        assert result.exit_code == 1
        assert "the server has no model for this call" in result.stderr


def test_a_model_that_is_missing_is_named() -> None:
    models = random_checkpoints()
    del models["hamiltonian"]
    with Engine(models, EngineLimits(max_batch=8, max_queue=64)) as engine:
        for address in serving(engine):
            result = inkfill("hamiltonian", PETERSEN, "--server", address)
            assert result.exit_code == 1
            assert "no model for the task 'hamiltonian' is loaded" in result.stderr


def test_an_answer_that_does_not_come_in_time_names_the_timeout(address: str) -> None:
    result = inkfill("color", PETERSEN, "--timeout", "0.00001", "--server", address)
    assert result.exit_code == 1
    assert result.stderr == "error: --timeout: no answer within 1e-05 s\n"


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


@pytest.mark.parametrize("problem", ["coloring", "independent-set", "hamiltonian"])
def test_training_writes_a_checkpoint_for_its_problem(tmp_path: Path, problem: str) -> None:
    small = ("--width", "16", "--depth", "1", "--canvases", "4", "--threads", "1")
    result = inkfill("train", "graph", problem, str(tmp_path), "--minutes", "0.02", *small)
    assert result.exit_code == 0, result.stderr
    assert f"serve it: inkfill serve --model {tmp_path}\n" in result.stderr
    assert json.loads((tmp_path / "config.json").read_text())["task"] == problem


def test_training_from_a_checkpoint_for_another_task_is_refused(tmp_path: Path) -> None:
    from engine.checkpoint import save_checkpoint

    save_checkpoint(random_checkpoints()["coloring"].model, tmp_path / "start")
    start = ("--start", str(tmp_path / "start"))
    result = inkfill("train", "graph", "independent-set", str(tmp_path / "run"), *start)
    assert result.exit_code == 2
    assert "is a checkpoint for coloring, not for independent-set" in result.stderr


@pytest.mark.parametrize(
    "command",
    [["color"], ["independent-set"], ["hamiltonian"], ["train", "graph"], ["train", "sudoku"]],
)
def test_help_teaches_with_an_example(command: list[str]) -> None:
    result = inkfill(*command, "--help")
    assert result.exit_code == 0
    examples = [line for line in result.stdout.splitlines() if line.startswith("  inkfill ")]
    assert examples
    assert all(line.split()[1 : 1 + len(command)] == command for line in examples)


@pytest.mark.parametrize("page", ["README.md", "docs/graphs.md"])
def test_the_commands_of_a_page_answer(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, page: str
) -> None:
    text = (DOCS.parent / page).read_text(encoding="utf-8")
    commands = re.findall(r"^inkfill ((?:color|independent-set|hamiltonian) .*)$", text, re.M)
    assert len(commands) == 3
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "petersen.col").write_text(Path(PETERSEN).read_text())
    monkeypatch.chdir(tmp_path)
    for command in commands:
        result = inkfill(*command.split(), "--server", address)
        assert result.exit_code == 0, result.stderr
    assert len(list(tmp_path.glob("*.svg"))) == 1


def test_the_page_tells_the_defaults_of_the_solvers() -> None:
    text = " ".join((DOCS / "graphs.md").read_text(encoding="utf-8").split())
    for solver in (ColoringSolver(), HamiltonianSolver(), IndependentSetSolver()):
        unguided, guided = solver.unguided_steps, solver.guided_steps
        assert f"at most {unguided} denoising steps unguided and {guided} guided" in text
        assert f"and {solver.last_steps} where nothing follows" in text
        assert f"{solver.default_candidates} candidates under each kind of guidance" in text
