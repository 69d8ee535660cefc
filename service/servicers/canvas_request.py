"""A Denoise message as the engine's request, every number checked under its path in the message.

Sizes are compared before anything is built of them, so that an absurd request costs nothing.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from inkfill.v1 import canvas_pb2

from engine.canvas import FREE, CanvasError, CanvasRequest, SamplingParams, Tokens
from engine.client import ModelInfo
from engine.domain import ANYTHING, Domain
from service.errors import invalid_argument

#: Of the domains of a canvas together: as many as there are sets, times the vocabulary. They take a
#: byte each on the device, and a bit while they wait.
MAX_FLAGS = 2**24


def canvas_request(
    request: canvas_pb2.DenoiseRequest,
    info: ModelInfo,
    prompt: tuple[int, ...],
    defaults: SamplingParams,
) -> CanvasRequest:
    """Build the canvas that a request asks of a model, after a prompt.

    Raises:
        WireError: INVALID_ARGUMENT, a length, position or token is out of range or said twice.
        CanvasError: a knob is out of range.
    """
    length = _length(request, info)
    clamps = _clamps(request, length, info.vocabulary)
    choices, which = _choices(request, length, info.vocabulary)
    _check_clamps_within(request, choices, which)
    return CanvasRequest(
        clamps=_clamped_by(clamps, choices, which),
        domain=_domain(choices, which, info.vocabulary),
        sampling=sampling_from(request.sampling, defaults),
        seed=seed_from(request.sampling, secrets.randbits),
        prompt=prompt,
    )


def request_path(field: str) -> str:
    """Where the message keeps what the engine calls ``field``, the prompt aside."""
    renamed = {"relations": "model", "seed": "sampling.seed"}
    return renamed.get(field, field)


def sampling_from(message: canvas_pb2.Sampling, defaults: SamplingParams) -> SamplingParams:
    """The knobs; what is absent keeps its default.

    Raises:
        CanvasError: a knob is out of range.
    """
    names = ("max_steps", "t_min", "t_max", "entropy_bound", "stability", "confidence")
    given = {name: getattr(message, name) for name in names if message.HasField(name)}
    least, most = given.get("t_min", 0), defaults.t_max
    if most < least <= 10 and "t_max" not in given:
        raise CanvasError(
            "sampling.t_min",
            f"got {least}, accepted: 0.01 to t_max, which is {most} unless given",
        )
    return replace(defaults, **given)


def seed_from(message: canvas_pb2.Sampling, draw: Callable[[int], int]) -> int:
    """The seed; an absent one is drawn, of 62 bits.

    Raises:
        WireError: INVALID_ARGUMENT, it is out of range.
    """
    if not message.HasField("seed"):
        return draw(62)
    if message.seed >= 2**63:
        raise invalid_argument("sampling.seed", f"got {message.seed}, accepted: 0 to 2^63 - 1")
    return message.seed


def _length(request: canvas_pb2.DenoiseRequest, info: ModelInfo) -> int:
    if not request.HasField("length"):
        return info.canvas_length
    if not 1 <= request.length <= info.canvas_length:
        raise invalid_argument(
            "length", f"got {request.length}, accepted: 1 to {info.canvas_length}"
        )
    return request.length


def _clamps(request: canvas_pb2.DenoiseRequest, length: int, vocabulary: int) -> Tokens:
    _check_count("clamps", len(request.clamps), length)
    clamps = np.full(length, FREE, np.int64)
    named: dict[int, str] = {}
    for index, clamp in enumerate(request.clamps):
        path = f"clamps[{index}]"
        _check_position(f"{path}.position", clamp.position, length, named)
        if clamp.token >= vocabulary:
            raise invalid_argument(f"{path}.token", _accepted(clamp.token, vocabulary))
        clamps[clamp.position] = clamp.token
    return clamps


def _choices(
    request: canvas_pb2.DenoiseRequest, length: int, vocabulary: int
) -> tuple[list[Tokens], Tokens]:
    """The distinct tokens of each domain, and which domain each position [L] is in, if any."""
    _check_count("domains", len(request.domains), length)
    choices: list[Tokens] = []
    which = np.full(length, ANYTHING)
    named: dict[int, str] = {}
    for index, item in enumerate(request.domains):
        path = f"domains[{index}]"
        choices.append(np.unique(_allowed(item, path, vocabulary)))
        if not item.positions:
            raise invalid_argument(f"{path}.positions", "is empty, accepted: at least one")
        for at, position in enumerate(item.positions):
            _check_position(f"{path}.positions[{at}]", position, length, named)
            which[position] = index
    return choices, which


def _clamped_by(clamps: Tokens, choices: Sequence[Tokens], which: Tokens) -> Tokens:
    """The clamps, with domains of one token among them."""
    clamped = clamps.copy()
    for position in np.flatnonzero(which != ANYTHING):
        if len(choices[which[position]]) == 1:
            clamped[position] = choices[which[position]][0]
    return clamped


def _domain(choices: Sequence[Tokens], which: Tokens, vocabulary: int) -> Domain | None:
    """Domains of more than one token; None where there are none."""
    several = [index for index, tokens in enumerate(choices) if len(tokens) > 1]
    if not several:
        return None
    most = MAX_FLAGS // vocabulary
    if len(several) > most:
        raise invalid_argument(
            "domains",
            f"got {len(several)} of more than one token, accepted: at most {most} with a "
            f"vocabulary of {vocabulary}; positions with the same choice can share one",
        )
    sets = np.zeros((len(several), vocabulary), np.bool_)
    row_of = np.full(len(choices) + 1, ANYTHING)
    for row, index in enumerate(several):
        sets[row, choices[index]] = True
        row_of[index] = row
    return Domain.of_sets(sets, row_of[which])  # the last entry, -1, is for those in no domain


def _allowed(item: canvas_pb2.Domain, path: str, vocabulary: int) -> Tokens:
    """The tokens of one domain."""
    if not item.tokens:
        raise invalid_argument(f"{path}.tokens", "is empty, accepted: at least one")
    tokens = np.array(item.tokens, np.int64)
    outside = tokens >= vocabulary
    if outside.any():
        at = int(outside.argmax())
        raise invalid_argument(f"{path}.tokens[{at}]", _accepted(int(tokens[at]), vocabulary))
    return tokens


def _check_clamps_within(
    request: canvas_pb2.DenoiseRequest, choices: Sequence[Tokens], which: Tokens
) -> None:
    for index, clamp in enumerate(request.clamps):
        domain = which[clamp.position]
        if domain != ANYTHING and clamp.token not in choices[domain]:
            raise invalid_argument(
                f"clamps[{index}].token",
                f"got {clamp.token}, accepted: a token of the domain of position {clamp.position}",
            )


def _check_count(field: str, count: int, length: int) -> None:
    if count > length:
        raise invalid_argument(
            field, f"got {count}, accepted: at most {length}, one for each position"
        )


def _check_position(path: str, position: int, length: int, named: dict[int, str]) -> None:
    """Refuse a position outside the canvas, or one that another path has named before."""
    if position >= length:
        raise invalid_argument(path, _accepted(position, length))
    if position in named:
        raise invalid_argument(
            path, f"got {position} again, accepted: each once; first named by {named[position]}"
        )
    named[position] = path


def _accepted(got: int, count: int) -> str:
    return f"got {got}, accepted: 0 to {count - 1}"
