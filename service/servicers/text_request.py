"""A Generate message as the engine's request, every number checked under its path."""

from __future__ import annotations

import secrets

from inkfill.v1 import canvas_pb2

from engine.client import ModelInfo
from engine.text.request import TextRequest
from service.errors import invalid_argument
from service.servicers.canvas_request import sampling_from, seed_from
from service.servicers.prompt import Prompt
from service.texts import TextModel


def text_request(
    request: canvas_pb2.GenerateRequest, prompt: Prompt, info: ModelInfo, model: TextModel
) -> TextRequest:
    """Build the text that a request asks of a model; what it leaves open is as the model's wont.

    Raises:
        WireError: INVALID_ARGUMENT, there is no prompt, or no room for it or for its answer.
        CanvasError: a knob is out of range.
    """
    _check_prompt(prompt, info)
    room = (info.max_context - len(prompt.tokens)) // info.canvas_length * info.canvas_length
    return TextRequest(
        prompt=prompt.tokens,
        max_tokens=_max_tokens(request, room, model.defaults.max_new_tokens),
        sampling=sampling_from(request.sampling, model.defaults.sampling),
        seed=seed_from(request.sampling, secrets.randbits),
        eos_token_ids=model.defaults.eos_token_ids,
    )


def _check_prompt(prompt: Prompt, info: ModelInfo) -> None:
    if prompt.field is None:
        raise invalid_argument("prompt", "is absent, accepted: prompt, prompt_tokens or messages")
    most = info.max_context - info.canvas_length
    if not 1 <= len(prompt.tokens) <= most:
        raise invalid_argument(
            prompt.field,
            f"got {len(prompt.tokens)} tokens, accepted: 1 to {most}, so that a canvas of "
            f"{info.canvas_length} fits beside them into the context of {info.max_context}",
        )


def _max_tokens(request: canvas_pb2.GenerateRequest, room: int, default: int) -> int:
    if not request.HasField("max_tokens"):
        return min(default, room)
    if not 1 <= request.max_tokens <= room:
        raise invalid_argument(
            "max_tokens",
            f"got {request.max_tokens}, accepted: 1 to {room}, what the prompt leaves of the "
            "context in whole canvases",
        )
    return request.max_tokens
