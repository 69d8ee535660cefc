"""The wire contract: stubs that are fresh, enums and comments as the conventions want them.

protoc runs in a process of its own: it and PyTorch bring different builds of one C++ library.
"""

import importlib
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest
from google.protobuf import descriptor_pb2

from solvers.sudoku.solver import SudokuSolver

ROOT = Path(__file__).parents[2] / "protos"
PROTOS = sorted(ROOT.glob("inkfill/v1/*.proto"))
STUBS = sorted(path for path in ROOT.glob("inkfill/v1/*_pb2*.py*") if path.suffix != ".pyc")

# Field numbers of descriptor.proto, of which source paths are made.
MESSAGES, ENUMS, SERVICES = 4, 5, 6
FIELDS = VALUES = METHODS = 2


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[descriptor_pb2.FileDescriptorProto]:
    """The protos with their comments, as protoc reads them."""
    out = tmp_path_factory.mktemp("descriptors") / "all"
    run(
        *("-m", "grpc_tools.protoc", f"-I{ROOT}", f"-I{_googleapis()}"),
        *("--include_source_info", f"--descriptor_set_out={out}", *map(str, PROTOS)),
    )
    return list(descriptor_pb2.FileDescriptorSet.FromString(out.read_bytes()).file)


def run(*arguments: str) -> None:
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def _googleapis() -> Path:
    found = importlib.util.find_spec("google.rpc.status_pb2")
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).parents[2]


@pytest.mark.parametrize("path", STUBS, ids=lambda path: path.name)
def test_every_stub_imports(path: Path) -> None:
    if path.suffix == ".py":
        importlib.import_module(f"inkfill.v1.{path.stem}")


def test_committed_stubs_equal_generated_ones(tmp_path: Path) -> None:
    run(str(ROOT / "generate.py"), str(tmp_path))
    fresh = {path.name: path.read_text() for path in tmp_path.glob("inkfill/v1/*")}
    committed = {path.name: path.read_text() for path in STUBS}
    assert committed == fresh, "run `make protos`"


def test_enums_start_at_unspecified(files) -> None:
    enums = [enum for file in files for enum in file.enum_type]
    assert {enum.name for enum in enums} == {
        *("Guidance", "Outcome", "Method", "FinishReason", "TextFinish"),
    }
    for enum in enums:
        first = enum.value[0]
        snake = "".join(f"_{c}" if c.isupper() else c.upper() for c in enum.name)[1:]
        assert (first.number, first.name) == (0, f"{snake}_UNSPECIFIED")


def test_every_service_message_field_and_value_has_a_comment(files) -> None:
    silent = []
    for file in files:
        said = {tuple(place.path) for place in file.source_code_info.location if _comment(place)}
        silent += [f"{file.name}: {name}" for path, name in _named(file) if path not in said]
    assert silent == []


def test_every_number_in_a_request_that_is_a_knob_is_optional(files) -> None:
    messages = {m.name: m for file in files for m in file.message_type}
    assert all(f.proto3_optional for f in messages["Sampling"].field)
    knobs = [f for f in messages["Effort"].field if f.name != "guidance"]
    assert all(f.proto3_optional for f in knobs)
    for name, fields in {
        "SolveRequest": {"box_rows", "box_cols"},
        "DenoiseRequest": {"length", "prompt", "think"},
        "GenerateRequest": {"prompt", "think", "max_tokens"},
    }.items():
        assert {f.name for f in messages[name].field if f.proto3_optional} == fields


def _comment(place: descriptor_pb2.SourceCodeInfo.Location) -> str:
    return place.leading_comments.strip() or place.trailing_comments.strip()


def _named(file: descriptor_pb2.FileDescriptorProto):
    """Every thing that a reader may ask about: its source path and its name."""
    for i, message in enumerate(file.message_type):
        assert not message.nested_type, "nested messages are not walked here"
        yield (MESSAGES, i), message.name
        for j, field in enumerate(message.field):
            yield (MESSAGES, i, FIELDS, j), f"{message.name}.{field.name}"
    for i, enum in enumerate(file.enum_type):
        yield (ENUMS, i), enum.name
        for j, value in enumerate(enum.value):
            yield (ENUMS, i, VALUES, j), f"{enum.name}.{value.name}"
    for i, service in enumerate(file.service):
        yield (SERVICES, i), service.name
        for j, method in enumerate(service.method):
            yield (SERVICES, i, METHODS, j), f"{service.name}.{method.name}"


def test_the_defaults_of_the_sudoku_solver_are_told(files) -> None:
    solver = SudokuSolver()
    (text,) = (path.read_text() for path in PROTOS if path.stem == "sudoku")
    assert (
        f"{solver.default_candidates} candidate, and at most {solver.unguided_steps} steps "
        f"unguided and {solver.guided_steps} guided, or {solver.last_steps} where nothing follows"
    ) in text
