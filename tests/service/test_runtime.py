"""From settings to a running server, with a real engine."""

import asyncio
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from typer.testing import CliRunner

from engine.canvas import SamplingParams
from engine.checkpoint import save_checkpoint
from engine.cores import usable_cores
from engine.generation import GenerationParams
from engine.text.message import ChatMessage
from engine.text.state import TextState, TextStep
from engine.text.step import EagerTextStepper
from engine.text.tokenizer import Tokenizer
from service.address import BindError
from service.client import InkfillClient
from service.client_errors import UnavailableError
from service.commands.app import app
from service.model_loading import load_models
from service.runtime import running_server, serve
from service.server import Server
from service.settings import Settings, SettingsError, load_settings
from tests.engine.factories import plain_model, small_model
from tests.engine.text.tokenizers import byte_level


@pytest.fixture
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("two_threads")
async def test_a_text_model_computes_with_all_of_torchs_threads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: set[int] = set()
    step = EagerTextStepper.step

    def watched_step(stepper: EagerTextStepper, state: TextState, *rest: Any) -> TextStep:
        seen.add(torch.get_num_threads())
        return step(stepper, state, *rest)

    monkeypatch.setattr(EagerTextStepper, "step", watched_step)
    monkeypatch.setattr("engine.models._WORTH_THREADS", 1)
    save_checkpoint(plain_model(), tmp_path / "text")
    settings = load_settings(port=0, models=(tmp_path / "text",), device="cpu")
    async with running_server(settings) as server, InkfillClient(server.address) as client:
        await client.denoise("text", length=4, prompt=[1, 2])
    assert seen == {min(2, usable_cores())}


async def test_a_checkpoint_is_served_with_its_tokenizer_template_and_defaults(
    tmp_path: Path,
) -> None:
    folder = byte_level(tmp_path / "text")
    generation = GenerationParams(sampling=SamplingParams(max_steps=2, confidence=0.5))
    save_checkpoint(plain_model(vocab_size=320), folder, generation=generation)
    settings = load_settings(port=0, models=(folder,), device="cpu")
    async with running_server(settings) as server, InkfillClient(server.address) as client:
        canvas = await client.denoise("text", length=4, prompt=[ChatMessage("user", "a")], seed=1)
    tokenizer = Tokenizer.from_folder(folder)
    assert tokenizer is not None
    assert canvas.text == tokenizer.decode(canvas.tokens)
    assert canvas.report.steps <= 2


def test_a_damaged_tokenizer_is_refused_at_the_start(tmp_path: Path) -> None:
    save_checkpoint(plain_model(), tmp_path)
    (tmp_path / "tokenizer.json").write_text("{")
    settings = load_settings(models=(tmp_path,), device="cpu")
    with pytest.raises(SettingsError, match=r"models: .*tokenizer\.json"):
        load_models(settings)


def test_models_of_other_tasks_have_no_strings(tmp_path: Path) -> None:
    save_checkpoint(small_model(), tmp_path)
    byte_level(tmp_path)
    settings = load_settings(models=(tmp_path,), device="cpu")
    assert load_models(settings).texts == {}


async def test_a_second_signal_ends_the_calls_in_flight_and_the_server_in_order(
    tmp_path: Path,
) -> None:
    save_checkpoint(plain_model(), tmp_path / "text")
    settings = load_settings(
        port=0, models=(tmp_path / "text",), device="cpu", shutdown_grace_s=60.0
    )
    ready: asyncio.Future[Server] = asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(serve(settings, ready.set_result))
    server = await ready
    endless = SamplingParams(max_steps=4096, confidence=0.0)
    async with InkfillClient(server.address) as client:
        events = client.denoise_stream("text", length=64, sampling=endless)
        await anext(events)
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.sleep(0.1)
        assert not serving.done()
        os.kill(os.getpid(), signal.SIGTERM)
        async with asyncio.timeout(2):
            await serving
        with pytest.raises(UnavailableError):
            async for _ in events:
                pass


async def test_a_taken_port_is_refused_before_anything_is_loaded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("service.runtime.load_models", lambda _: pytest.fail("loaded"))
    with socket.create_server(("127.0.0.1", 0)) as other:
        settings = load_settings(port=other.getsockname()[1])
        with pytest.raises(BindError, match="INKFILL_PORT"):
            async with running_server(settings):
                pass


@pytest.mark.parametrize(("name", "there"), [("cuda", 0), ("cuda:2", 2)])
def test_a_gpu_that_is_not_there_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, name: str, there: int
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: there)
    with pytest.raises(SettingsError, match=f"device: got '{name}'.*accepted: cpu") as refused:
        load_models(load_settings(device=name))
    assert str(refused.value).endswith("cuda:0, cuda:1") == (there == 2)


def test_every_setting_is_named_in_the_help_of_serve() -> None:
    shown = CliRunner().invoke(app, ["serve", "--help"]).stdout
    for setting in Settings.model_fields.keys() - {"models"}:
        assert setting in shown or f"--{setting.replace('_', '-')}" in shown


async def test_a_context_too_short_for_a_canvas_is_refused_at_the_start(tmp_path: Path) -> None:
    save_checkpoint(plain_model(), tmp_path / "text")
    settings = load_settings(port=0, device="cpu", models=(tmp_path / "text",), max_context=64)
    with pytest.raises(SettingsError, match="models: max_context: got 64, accepted: more than 64"):
        async with running_server(settings):
            pass
