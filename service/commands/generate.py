"""``inkfill generate``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import grpc
import typer
from google.protobuf.json_format import MessageToJson
from inkfill.v1 import canvas_pb2, canvas_pb2_grpc, models_pb2, models_pb2_grpc

from service.commands.connection import connect
from service.commands.console import Exit, err, fail, out, print_line, run
from service.commands.sampling_options import (
    ConfidenceOption,
    EntropyBoundOption,
    NoiseSeedOption,
    StabilityOption,
    StepsOption,
    TMaxOption,
    TMinOption,
)
from service.commands.server_option import ServerOption, TimeoutOption, naming_timeout
from service.commands.text_view import harmless, headline, watch_text
from service.model_source import ModelSource
from service.settings import load_settings


def generate(
    prompt: Annotated[
        str | None,
        typer.Argument(
            help="What the model is to answer, or with --raw to continue; '-' reads standard input "
            "without its last line feed.",
            show_default="standard input",
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            "-m",
            help="Checkpoint folder, or a name on the Hugging Face Hub as ORG/NAME; with --server "
            "the name of a model that it has loaded.",
            show_default="the first that generates text",
        ),
    ] = None,
    chat: Annotated[
        bool | None,
        typer.Option(
            "--chat/--raw",
            help="Whether the prompt is a message for the checkpoint's chat template, or text to "
            "be continued as it stands.",
            show_default="chat, where the checkpoint has a template",
        ),
    ] = None,
    system: Annotated[
        str | None,
        typer.Option(help="A system message before the prompt.", show_default="none"),
    ] = None,
    think: Annotated[
        bool | None,
        typer.Option(
            "--think/--no-think",
            help="Whether the model is to think before it answers, if it can.",
            show_default="what its template does unasked",
        ),
    ] = None,
    max_tokens: Annotated[
        int | None,
        typer.Option(
            min=1, max=2**32 - 1, help="New tokens at most.", show_default="the checkpoint's"
        ),
    ] = None,
    steps: StepsOption = None,
    t_min: TMinOption = None,
    t_max: TMaxOption = None,
    entropy_bound: EntropyBoundOption = None,
    stability: StabilityOption = None,
    confidence: ConfidenceOption = None,
    seed: NoiseSeedOption = None,
    watch: Annotated[
        bool,
        typer.Option(
            "--watch",
            help="Show the canvas as it denoises, uncertain tokens dim, where the output is a "
            "terminal.",
        ),
    ] = False,
    json: Annotated[
        bool, typer.Option("--json", help="Print the response message as JSON. Wins over --watch.")
    ] = False,
    server: ServerOption = None,
    timeout: TimeoutOption = None,
) -> None:
    """Generate text with a DiffusionGemma checkpoint.

    The text goes to standard output, how it came about to standard error. Exits with 0 if there is
    an answer, 1 if the call failed, 2 if the input is bad.

    \b
    Examples:
    inkfill generate --model ./diffusiongemma "Why is the sky blue?" --watch
    inkfill generate --server 127.0.0.1:50051 --raw "Once upon a time" --max-tokens 256 --seed 1
    inkfill generate --server 127.0.0.1:50051 --json < question.txt
    """  # noqa: D301  # click takes a backspace for "do not fold this paragraph"
    sampling = canvas_pb2.Sampling(
        max_steps=steps,
        t_min=t_min,
        t_max=t_max,
        entropy_bound=entropy_bound,
        stability=stability,
        confidence=confidence,
        seed=seed,
    )
    options = canvas_pb2.GenerateRequest(think=think, max_tokens=max_tokens, sampling=sampling)
    text, system = _text(prompt), system and _utf8("--system", system)
    if chat is False and system is not None:
        fail("--system: is part of a conversation, accepted: only without --raw")
    if chat is False and think is not None:
        fail("--think: is for the chat template, accepted: only without --raw")
    run(_generate(text, options, model, (chat, system), watch, json, server, timeout))


async def _generate(
    text: str,
    options: canvas_pb2.GenerateRequest,
    model: str | None,
    form: tuple[bool | None, str | None],
    watch: bool,
    json: bool,
    server: str | None,
    timeout: float | None,
) -> int:
    served = _served(server, model)
    name = ModelSource.parse(served[0]).name if served else model
    async with connect(server, served) as channel:
        request = request_for(text, await _model(channel, name), *form)
        request.MergeFrom(options)
        stub = canvas_pb2_grpc.CanvasStub(channel)
        with naming_timeout(timeout):
            if watch and not json:
                response = await watch_text(stub, request, timeout)
            else:
                with err.status("generating"):
                    response = await stub.Generate(request, timeout=timeout)
    _print(response, json)
    return Exit.SOLVED


def request_for(
    text: str, model: models_pb2.Model, chat: bool | None, system: str | None
) -> canvas_pb2.GenerateRequest:
    """The message that asks a model to answer a text, or to continue it.

    Args:
        text: the prompt.
        model: who is asked.
        chat: whether the text is a message; None says so where the model has a chat template, or
            where there is a system message.
        system: a message before it.
    """
    if chat is None:
        chat = model.has_chat_template or system is not None
    if not chat:
        return canvas_pb2.GenerateRequest(model=model.name, prompt=text)
    turns = [] if system is None else [canvas_pb2.ChatMessage(role="system", content=system)]
    turns.append(canvas_pb2.ChatMessage(role="user", content=text))
    return canvas_pb2.GenerateRequest(model=model.name, messages=turns)


def _text(prompt: str | None) -> str:
    """The prompt, or standard input without its last line feed."""
    try:
        text = _read() if prompt in (None, "-") else str(prompt)
    except UnicodeError as error:
        fail(f"prompt: {error}; accepted: UTF-8")
    return _utf8("prompt", text)


def _utf8(field: str, text: str) -> str:
    """The text, which a message can carry; what the shell gave may be no characters."""
    try:
        text.encode()
    except UnicodeError as error:
        fail(f"{field}: {error}; accepted: UTF-8")
    return text


def _read() -> str:
    if sys.stdin is None or sys.stdin.isatty():
        fail("no prompt given: pass it as an argument, or on standard input; see --help")
    return sys.stdin.read().removesuffix("\n")


def _served(server: str | None, model: str | None) -> Sequence[str]:
    """What a server that is started here is to serve; nothing where the settings say it.

    Raises:
        SettingsError: the settings cannot be read.
    """
    if server is not None:
        return ()
    if model is not None and ("/" in model or Path(model).is_dir()):
        return (model,)
    if not load_settings().models:
        given = "is absent" if model is None else f"got {model!r}"
        fail(
            f"--model: {given}, accepted: the folder of a text checkpoint, of which none is "
            "bundled; a name on the Hugging Face Hub; or with --server the name of a model"
        )
    return ()


async def _model(channel: grpc.aio.Channel, name: str | None) -> models_pb2.Model:
    """The model of that name, or the first, of those that generate text."""
    response = await models_pb2_grpc.ModelsStub(channel).List(models_pb2.ListModelsRequest())
    able: list[models_pb2.Model] = [model for model in response.models if model.max_context]
    for model in able:
        if name in (None, model.name):
            return model
    if able:
        known = ", ".join(model.name for model in able)
        fail(f"--model: got {name!r}, accepted: {known}")
    loaded = ", ".join(f"{model.name} ({model.task})" for model in response.models)
    fail(
        f"no model that is loaded generates text, there are: {loaded or 'none'}; accepted: "
        "--model with the folder of a text checkpoint or its name on the Hugging Face Hub, or a "
        "server that was started with one: inkfill serve --model FOLDER"
    )


def _print(response: canvas_pb2.GenerateResponse, json: bool) -> None:
    if json:
        print(MessageToJson(response, preserving_proto_field_name=True, indent=None))
        return
    if out.is_terminal:
        print_line(harmless(response.text))
    else:
        print(response.text)
    err.print(headline(response), style="dim", soft_wrap=True)
