"""How hard to try: the options of every command that solves."""

from __future__ import annotations

from typing import Annotated

import typer

from service.commands.console import fail
from service.commands.typed import TYPED
from solvers.base import Effort, EffortError, Guidance

GuidanceOption = Annotated[
    Guidance,
    typer.Option(help="none: the model alone; propagate: constraints help; auto: both in turn."),
]
MaxStepsOption = Annotated[
    int | None,
    typer.Option(
        help="Denoising steps of a candidate, 1 to 1024.", show_default="what the solver chooses"
    ),
]
CandidatesOption = Annotated[
    int | None,
    typer.Option(
        help="Canvases tried for each kind of guidance, 1 to 256.",
        show_default="what the solver chooses",
    ),
]
SeedOption = Annotated[
    int | None,
    typer.Option(
        help="Of the noise; same seed, same answer.",
        show_default="one is drawn, which the answer names",
    ),
]
ExactOption = Annotated[
    bool, typer.Option(help="Whether exact search may follow when diffusion finds no answer.")
]


def effort_of(
    guidance: Guidance,
    max_steps: int | None,
    candidates: int | None,
    seed: int | None,
    exact: bool,
) -> Effort:
    """The effort that the options ask for; one that is out of range ends the command."""
    try:
        return Effort(
            guidance=guidance,
            max_steps=max_steps,
            candidates=candidates,
            seed=seed,
            exact_fallback=exact,
        )
    except EffortError as error:
        fail(f"{TYPED[f'effort.{error.field}']}: {error.message}")
