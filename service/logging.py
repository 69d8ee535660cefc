"""One stream of log lines: JSON for machines, text for people, coloured on a terminal.

Structlog's loggers and the standard library's share it, and every line that is written while a
call is served carries that call's request id.
"""

from __future__ import annotations

import logging
import sys
from typing import Literal, TextIO

import structlog
from structlog.typing import Processor

LogFormat = Literal["json", "console"]
LogLevel = Literal["debug", "info", "warning", "error"]

_REQUEST_ID = "request_id"


def configure_logging(level: LogLevel, style: LogFormat, stream: TextIO | None = None) -> None:
    """Send all logs of this process to ``stream`` (standard error), one line an event."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    stream = stream or sys.stderr
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *_renderers(style, stream.isatty()),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    if level == "info":  # a line for each request to the Hugging Face Hub is detail
        logging.getLogger("httpx").setLevel(logging.WARNING)


def bind_request_id(request_id: str) -> None:
    """Put ``request_id`` into every further log line of this task and of those it starts."""
    structlog.contextvars.bind_contextvars(**{_REQUEST_ID: request_id})


def current_request_id() -> str:
    """The id of the call that this task serves; empty outside of one."""
    return str(structlog.contextvars.get_contextvars().get(_REQUEST_ID, ""))


def _renderers(style: LogFormat, on_terminal: bool) -> list[Processor]:
    if style == "console" and on_terminal:
        return [structlog.dev.ConsoleRenderer()]
    if style == "console":  # colours would stand in a file as escape sequences
        plain = structlog.dev.plain_traceback
        return [structlog.dev.ConsoleRenderer(colors=False, exception_formatter=plain)]
    return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
