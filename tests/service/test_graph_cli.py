"""The command line on graphs, each test a whole command against a server of untrained models.

Exact search makes up for what they have not learned; what they leave undecided is a draft.
"""

import gzip
import io
import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import networkx as nx
import pytest
from rich.console import Console

from engine.engine import Engine
from engine.limits import EngineLimits
from service.commands import graph_question
from service.logging import configure_logging
from solvers.graph.formats import parse_graph
from tests.service.command_line import inkfill, serving
from tests.service.fakes import GRAPHS, SUDOKU, FakeEngine
from tests.service.graphs import KITE, random_checkpoints

DOCS = Path(__file__).parents[2] / "docs"
PETERSEN = str(DOCS / "petersen.col")
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
