"""Which models Canvas serves, and what it says of the others."""

from __future__ import annotations

from collections.abc import Callable

from engine.client import EngineClient, ModelInfo, UnknownModelError
from service.errors import invalid_argument, model_resource, shorten
from service.servicers.graph_call import GRAPH_TASKS

#: Tasks whose models need relations that only a solver lays out, and who offers it.
_SOLVER_SERVICES = {
    "sudoku": "inkfill.v1.Sudoku",
    **dict.fromkeys(GRAPH_TASKS, "inkfill.v1.Graph"),
}


def denoising_model(engine: EngineClient, name: str) -> ModelInfo:
    """The model, if it denoises by itself.

    Raises:
        WireError: INVALID_ARGUMENT on ``model``.
    """
    info = _loaded(engine, name, _denoises)
    if not _denoises(info):
        raise invalid_argument(
            "model",
            f"{info.name!r} is a model for {info.task} and needs the relations of its cells, "
            f"which Canvas does not carry; use {_SOLVER_SERVICES[info.task]}",
        )
    return info


def generating_model(engine: EngineClient, name: str) -> ModelInfo:
    """The model, if it generates text.

    Raises:
        WireError: INVALID_ARGUMENT on ``model``.
    """
    info = _loaded(engine, name, _generates)
    if not _generates(info):
        raise invalid_argument(
            "model",
            f"{info.name!r} is a model for {info.task} that generates no text, "
            f"{_accepted(engine, _generates)}",
        )
    return info


def _denoises(info: ModelInfo) -> bool:
    return info.task not in _SOLVER_SERVICES


def _generates(info: ModelInfo) -> bool:
    return info.max_context > 0


def _loaded(engine: EngineClient, name: str, fits: Callable[[ModelInfo], bool]) -> ModelInfo:
    try:
        return engine.model(name)
    except UnknownModelError:
        raise invalid_argument(
            "model", f"got {shorten(name)!r}, {_accepted(engine, fits)}", model_resource(name)
        ) from None


def _accepted(engine: EngineClient, fits: Callable[[ModelInfo], bool]) -> str:
    """The models that would do, or how to load one."""
    names = [info.name for info in engine.models() if fits(info)]
    if names:
        return f"accepted: {', '.join(names)}"
    return (
        "but no model is loaded that Canvas can serve; start the server with a text "
        "checkpoint: inkfill serve --model FOLDER"
    )
