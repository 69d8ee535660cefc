"""docs/diffusiongemma.md, and what README.md says of text, against the code.

Snippets and calls run on a small checkpoint, command lines parse, sums are right.
"""

import asyncio
import math
import re
import shlex
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import grpc
import pytest
import torch
import typer
from google.protobuf.json_format import Parse
from inkfill.v1 import canvas_pb2, canvas_pb2_grpc

from engine.canvas import SamplingParams
from engine.checkpoint import save_checkpoint
from engine.config_json import config_from_json
from engine.engine import Engine
from engine.generation import GenerationParams
from engine.model import parameter_shapes
from engine.precision.precision import Precision
from engine.precision.quantization import Quantization, is_quantized
from engine.text.capacity import belief_bytes, capacity, encoding_bytes, step_bytes
from engine.text.chunks import Chunks
from engine.text.kv_cache import PAGE as POSITIONS
from engine.text.kv_cache import CacheSizes, page_bytes
from service.commands.app import app
from service.model_loading import load_models
from service.server import Server
from service.settings import Settings, load_settings
from tests.engine.factories import plain_model
from tests.engine.test_config import published
from tests.engine.text.tokenizers import byte_level

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8").split("\n## Text\n")[1].split("\n## ")[0]
TEXT = README + (ROOT / "docs" / "diffusiongemma.md").read_text(encoding="utf-8")
SNIPPETS = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
CALLS = re.findall(r"-d '(.*?)' \\\n +127\.0\.0\.1:50051 inkfill\.v1\.Canvas/(\w+)", TEXT)
LINES = re.findall(r"^inkfill (.*)$", TEXT, re.MULTILINE)
PRINTED = (
    [" TextFinish.MAX_TOKENS"],
    ["TextFinish.MAX_TOKENS 2 ", " 1\n"],
    ["canvas 0, step 1: ", "canvas 1 is final after ", "TextFinish.MAX_TOKENS"],
    ["year: '", "place: '", "candidate mass 1.00", "FinishReason.MAX_STEPS"],
)
BFLOAT16 = torch.bfloat16


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its canvases are as long as the longest that the page asks for."""
    path = byte_level(tmp_path_factory.mktemp("models") / "diffusiongemma")
    defaults = GenerationParams(sampling=SamplingParams(max_steps=2), max_new_tokens=64)
    save_checkpoint(plain_model(vocab_size=320), path, generation=defaults)
    return path


@pytest.fixture(scope="module")
def loaded(folder: Path) -> Iterator[tuple[Engine, Settings, dict[str, object]]]:
    settings = load_settings(port=0, models=(str(folder),), device="cpu")
    models = load_models(settings)
    with Engine(models.checkpoints) as engine:
        yield engine, settings, dict(models.texts)


@pytest.fixture
async def server(loaded) -> AsyncIterator[Server]:
    running = Server(*loaded)
    await running.start()
    yield running
    await running.stop(0)


@pytest.mark.parametrize(
    ("code", "words"),
    list(zip(SNIPPETS, PRINTED, strict=True)),
    ids=["readme", "generate", "stream", "form"],
)
async def test_a_snippet_prints_what_it_should(server, folder, capsys, code, words):
    here = code.replace("127.0.0.1:50051", server.address)
    here = here.replace("models/diffusiongemma", str(folder)).replace("max_steps=24", "max_steps=2")
    await asyncio.to_thread(exec, here, {})
    printed = capsys.readouterr().out
    assert all(word in printed for word in words), printed


def test_every_call_is_known() -> None:
    assert [method for _, method in CALLS] == ["Generate", "GenerateStream", "Denoise"]
    assert len(CALLS) == TEXT.count("grpcurl -plaintext")


@pytest.mark.parametrize(("message", "method"), CALLS, ids=[method for _, method in CALLS])
async def test_a_call_of_grpcurl_is_answered(server, message, method):
    kind = canvas_pb2.DenoiseRequest if method == "Denoise" else canvas_pb2.GenerateRequest
    request = Parse(message, kind())
    request.sampling.max_steps = 2
    async with grpc.aio.insecure_channel(server.address) as channel:
        call = getattr(canvas_pb2_grpc.CanvasStub(channel), method)(request)
        if method.endswith("Stream"):
            response = [event async for event in call][-1].response
        else:
            response = await call
    assert len(response.tokens) == (4 if method == "Denoise" else 100)


@pytest.mark.parametrize("line", LINES)
def test_a_command_line_is_one_that_there_is(line: str) -> None:
    name, *arguments = shlex.split(line)
    group = typer.main.get_command(app)
    command = group.commands[name]  # type: ignore[attr-defined]
    command.make_context(name, arguments)


def test_the_memory_that_is_computed_follows_from_the_shapes() -> None:
    config = config_from_json(published())
    shapes = parameter_shapes(config)
    count = sum(map(math.prod, shapes.values()))
    assert f"| float32 | {4 * count / 1e9:.1f} |" in TEXT
    assert f"| bfloat16 | {2 * count / 1e9:.1f} |" in TEXT
    assert f"| int8, fp8 | {quantized(shapes, Precision.INT8) / 1e9:.1f} |" in TEXT
    assert quantized(shapes, Precision.FP8) == quantized(shapes, Precision.INT8)
    assert f"| int4 | {quantized(shapes, Precision.INT4) / 1e9:.1f} |" in TEXT
    full, ring = (
        CacheSizes(1, 2048, pages, rings).bytes(config, BFLOAT16)
        for rings in [CacheSizes.within(config, BFLOAT16, 2**40, 1, 2048).ring_pages]
        for pages, rings in ((2048 // POSITIONS, 0), (0, rings))
    )
    a_position = page_bytes(config, "full_attention", BFLOAT16) // POSITIONS
    assert f"layers that see everything | {a_position:,} |" in TEXT
    assert f"window of 1,024 | {ring / 1e6:.1f} MB, whatever its length |" in TEXT
    assert f"prompt of 2,048 tokens | {(full + ring) / 1e6:.1f} MB |" in TEXT
    passes = encoding_bytes(config, BFLOAT16, Chunks.on(torch.device("cuda")))
    assert f"an encoding pass | {passes / 1e6:.1f} MB |" in TEXT
    assert (
        f"logits, activations and domains | {step_bytes(config, BFLOAT16) / 1e6:.1f} MB |" in TEXT
    )
    one, most = (belief_bytes(config, BFLOAT16, count) / 1e6 for count in (1, 64))
    assert f"its beliefs | {one:.1f} MB, of all canvases at most {most:.1f} MB |" in TEXT


@pytest.mark.parametrize("free", [8, 30, 90])
def test_the_capacity_that_is_computed_is_what_the_engine_decides(monkeypatch, free: int) -> None:
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (free * 10**9, 0))
    config = config_from_json(published())
    device = torch.device("cuda")
    chunks = Chunks.on(device)
    sizes = capacity(config, BFLOAT16, device, chunks, max_batch=64, max_context=32768)
    positions = sizes.full_pages * POSITIONS
    assert f"| {free} GB | {sizes.sequences} | {positions:,} |" in TEXT


def quantized(shapes: dict[str, tuple[int, ...]], precision: Precision) -> int:
    """Bytes of all weights, matrices in a precision and the others in bfloat16."""
    kept = Quantization(precision)
    return sum(
        kept.nbytes(shape) if is_quantized(name) else 2 * math.prod(shape)
        for name, shape in shapes.items()
    )
