"""The knobs of denoising as options; what is not given is left to the checkpoint."""

from __future__ import annotations

from typing import Annotated

import typer

_LEFT = "what the checkpoint says"

StepsOption = Annotated[
    int | None,
    typer.Option(min=1, max=4096, help="Denoising steps of a canvas at most.", show_default=_LEFT),
]
TMinOption = Annotated[
    float | None,
    typer.Option(help="Temperature at the last step, 0.01 to 10.", show_default=_LEFT),
]
TMaxOption = Annotated[
    float | None,
    typer.Option(help="Temperature at the first step, --t-min to 10.", show_default=_LEFT),
]
EntropyBoundOption = Annotated[
    float | None,
    typer.Option(
        help="Nats of entropy accepted in a step, above 0; more is faster and less careful.",
        show_default=_LEFT,
    ),
]
StabilityOption = Annotated[
    int | None,
    typer.Option(
        min=0,
        max=8,
        help="Earlier drafts that the latest one must equal for a canvas to stop early.",
        show_default=_LEFT,
    ),
]
ConfidenceOption = Annotated[
    float | None,
    typer.Option(
        help="Mean entropy, nats, below which a stable canvas stops early; 0 never stops.",
        show_default=_LEFT,
    ),
]
NoiseSeedOption = Annotated[
    int | None,
    typer.Option(
        min=0,
        max=2**63 - 1,
        help="Of the noise; same seed, same text.",
        show_default="one is drawn, which is named on standard error",
    ),
]
