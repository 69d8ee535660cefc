"""A text as the command line shows it while it is generated."""

from __future__ import annotations

from inkfill.v1 import canvas_pb2, canvas_pb2_grpc
from rich.live import Live
from rich.text import Text

from service.commands.console import out
from service.commands.headline import counted

_THOUGHT = "italic"
_ACCEPTED = "green"
_UNCERTAIN = "dim"
#: What stands for each control but tab and line feed; those of 8 bits have no symbols.
_SYMBOLS = {
    **{code: chr(0x2400 + code) for code in range(0x20) if chr(code) not in "\t\n"},
    0x7F: "\N{SYMBOL FOR DELETE}",
    **dict.fromkeys(range(0x80, 0xA0), "\N{REPLACEMENT CHARACTER}"),
}


async def watch_text(
    stub: canvas_pb2_grpc.CanvasStub,
    request: canvas_pb2.GenerateRequest,
    timeout: float | None = None,
) -> canvas_pb2.GenerateResponse:
    """Generate; show the running canvas after what is committed, where the output is a terminal."""
    response = canvas_pb2.GenerateResponse()
    committed = Text()
    with Live(console=out, auto_refresh=False, transient=True) as live:
        async for event in stub.GenerateStream(request, timeout=timeout):
            if event.HasField("response"):
                response = event.response
                break
            if event.HasField("commit"):
                committed.append(harmless(event.commit.thought), _THOUGHT)
                committed.append(harmless(event.commit.text))
                shown = committed
            else:
                shown = Text.assemble(committed, draft_text(event.draft))
            live.update(last_lines(shown, out.width, out.height - 1), refresh=True)
    return response


def draft_text(draft: canvas_pb2.GenerateDraft) -> Text:
    """The running canvas: accepted tokens green, the others dim."""
    pieces = zip(draft.pieces, draft.accepted, strict=False)  # without a tokenizer there are none
    return Text.assemble(
        *((harmless(piece), _ACCEPTED if accepted else _UNCERTAIN) for piece, accepted in pieces)
    )


def harmless(text: str) -> str:
    """A text in which nothing commands the terminal: controls are shown by their symbols."""
    return text.translate(_SYMBOLS)


def last_lines(text: Text, width: int, count: int) -> Text:
    """The last ``count`` lines of a text that is folded to a width."""
    return Text("\n").join(text.wrap(out, max(1, width))[-max(1, count) :])


def headline(response: canvas_pb2.GenerateResponse) -> str:
    """Why the text ended, its size, steps, milliseconds and seed in a line."""
    report = response.report
    return ", ".join(
        (
            canvas_pb2.TextFinish.Name(response.finish_reason),
            counted(len(response.tokens), "token"),
            f"{response.canvases} {'canvas' if response.canvases == 1 else 'canvases'}",
            counted(report.steps, "step"),
            f"{report.queue_ms + report.compute_ms:.0f} ms",
            f"seed {report.seed}",
        )
    )
