"""``inkfill serve``."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from service.background import in_background
from service.commands.console import Exit, err, fail, run
from service.logging import LogFormat, LogLevel, configure_logging
from service.settings import Settings, SettingsError, load_settings

if TYPE_CHECKING:
    from service.server import Server


def serve(
    host: Annotated[
        str | None, typer.Option(help="Address to listen on.", show_default="127.0.0.1")
    ] = None,
    port: Annotated[
        int | None, typer.Option(help="Port; 0 takes a free one.", show_default="50051")
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(
            help="Checkpoint folder to serve, or a model of the Hugging Face Hub as ORG/NAME or "
            "ORG/NAME@REVISION, or 'bundled' for those that come with Inkfill; may be repeated.",
            show_default="the bundled ones",
        ),
    ] = None,
    device: Annotated[
        str | None, typer.Option(help="auto, cpu, cuda or cuda:N.", show_default="auto")
    ] = None,
    threads: Annotated[
        int | None, typer.Option(help="CPU threads of the engine.", show_default="one a core")
    ] = None,
    max_batch: Annotated[
        int | None, typer.Option(help="Canvases denoised together.", show_default="64")
    ] = None,
    max_queue: Annotated[
        int | None,
        typer.Option(
            help="Canvases that may wait, and prompts to be encoded.", show_default="1024"
        ),
    ] = None,
    log_level: Annotated[
        LogLevel | None, typer.Option(help="Least severe event to log.", show_default="info")
    ] = None,
    log_format: Annotated[
        LogFormat | None,
        typer.Option(help="json for machines, console for people.", show_default="json"),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(help="TOML or JSON file of settings.", show_default="$INKFILL_CONFIG, if set"),
    ] = None,
) -> None:
    """Serve checkpoints over gRPC until SIGINT or SIGTERM.

    Every option can also be set in the environment (INKFILL_PORT=...) or in the --config file;
    flags win over the environment, the environment over the file. Only there can be set:
    max_searches, max_many_in_flight, max_message_bytes, max_context and shutdown_grace_s.
    """
    try:
        settings = load_settings(
            config,
            host=host,
            port=port,
            models=tuple(model) if model else None,
            device=device,
            threads=threads,
            max_batch=max_batch,
            max_queue=max_queue,
            log_level=log_level,
            log_format=log_format,
        )
    except SettingsError as error:
        fail(str(error))
    configure_logging(settings.log_level, settings.log_format)
    run(_serve(settings))


async def _serve(settings: Settings) -> int:
    # The engine and the solvers take seconds to import, which --help need not wait for.
    await in_background(lambda: import_module("service.runtime"))
    from service.runtime import serve as serve_until_signal

    await serve_until_signal(settings, _announce)
    return Exit.SOLVED


def _announce(server: Server) -> None:
    if err.is_terminal:
        err.print(f"[bold]inkfill[/] serves on [bold cyan]{server.address}[/]; Ctrl-C stops it")
