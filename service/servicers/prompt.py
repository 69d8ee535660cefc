"""The prompt of a request, in whichever of its three forms, as tokens.

Sizes are compared before anything is made of them. A megabyte of text takes a second to encode,
which is done in a thread, for which so many may wait (``service.encoding_pool``).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from inkfill.v1 import canvas_pb2

from engine.client import ModelInfo
from engine.text.chat_template import ChatTemplateError
from engine.text.message import ChatMessage
from engine.text.tokenizer import Tokenizer
from service.encoding_pool import EncodingPool
from service.errors import invalid_argument, shorten
from service.texts import MAX_MESSAGES, MAX_PROMPT_CHARACTERS, TextModel, encode_conversation

Prompted = canvas_pb2.DenoiseRequest | canvas_pb2.GenerateRequest

FORMS = ("prompt", "prompt_tokens", "messages")
_ONE_FORM = "one of prompt, prompt_tokens and messages"


@dataclass(frozen=True)
class Prompt:
    """What comes before a canvas.

    Attributes:
        field: of the request, where it stood; None where there is none.
        tokens: each of the model's vocabulary.
    """

    field: str | None
    tokens: tuple[int, ...]

    def path(self, name: str) -> str:
        """Where the request has what the engine calls ``name``, if that is the prompt's."""
        if self.field == "prompt_tokens":
            return re.sub(r"^prompt\b", self.field, name)
        return self.field if self.field and re.match(r"prompt\b", name) else name


async def prompt_of(
    request: Prompted, info: ModelInfo, model: TextModel, encoding: EncodingPool
) -> Prompt:
    """Encode a request's prompt.

    Raises:
        WireError: INVALID_ARGUMENT, there are two, it is too large, the model lacks what it
            takes, or the chat template refuses the messages; RESOURCE_EXHAUSTED, too many
            prompts wait to be encoded.
    """
    field = _given(request)
    if request.HasField("think") and field != "messages":
        raise invalid_argument("think", "is for the chat template, accepted: only with messages")
    if field is None:
        return Prompt(None, ())
    if field == "prompt_tokens":
        _check_tokens(len(request.prompt_tokens), info)
        return Prompt(field, _known(field, request.prompt_tokens, info.vocabulary))
    encode = _text(request, info, model) if field == "prompt" else _chat(request, info, model)
    try:
        tokens = await encoding.run(encode)
    except ChatTemplateError as error:
        said = shorten(str(error), 500)
        raise invalid_argument(field, f"the chat template of {info.name!r}: {said}") from error
    return Prompt(field, _known(field, tokens, info.vocabulary))


def _given(request: Prompted) -> str | None:
    """The form in which the request has a prompt."""
    given = [
        form
        for form in FORMS
        if (request.HasField("prompt") if form == "prompt" else getattr(request, form))
    ]
    if len(given) > 1:
        raise invalid_argument(given[1], f"is given beside {given[0]}, accepted: {_ONE_FORM}")
    return given[0] if given else None


def _text(request: Prompted, info: ModelInfo, model: TextModel) -> Callable[[], list[int]]:
    tokenizer = _tokenizer("prompt", info, model)
    _check_characters("prompt", len(request.prompt))
    return lambda: tokenizer.encode(request.prompt)


def _chat(request: Prompted, info: ModelInfo, model: TextModel) -> Callable[[], list[int]]:
    tokenizer, template = _tokenizer("messages", info, model), model.template
    if template is None:
        raise invalid_argument(
            "messages",
            f"{info.name!r} came without a chat template (chat_template.jinja), accepted: prompt "
            "or prompt_tokens",
        )
    if len(request.messages) > MAX_MESSAGES:
        raise invalid_argument(
            "messages", f"got {len(request.messages)}, accepted: at most {MAX_MESSAGES}"
        )
    characters = sum(len(turn.role) + len(turn.content) for turn in request.messages)
    _check_characters("messages", characters)
    think = request.think if request.HasField("think") else None

    def encode() -> list[int]:
        turns = [ChatMessage(turn.role, turn.content) for turn in request.messages]
        return encode_conversation(tokenizer, template, turns, think)

    return encode


def _tokenizer(field: str, info: ModelInfo, model: TextModel) -> Tokenizer:
    if model.tokenizer is None:
        raise invalid_argument(
            field,
            f"{info.name!r} came without a tokenizer (tokenizer.json), accepted: prompt_tokens",
        )
    return model.tokenizer


def _check_characters(field: str, count: int) -> None:
    if count > MAX_PROMPT_CHARACTERS:
        raise invalid_argument(
            field, f"got {count} characters, accepted: at most {MAX_PROMPT_CHARACTERS}"
        )


def _check_tokens(count: int, info: ModelInfo) -> None:
    """Refuse what fits before no canvas. What a model without prompts says is the engine's."""
    if count > info.max_context > 0:
        raise invalid_argument(
            "prompt_tokens",
            f"got {count} tokens, accepted: fewer than the context of {info.max_context}",
        )


def _known(field: str, tokens: Sequence[int], vocabulary: int) -> tuple[int, ...]:
    """The tokens, if the model knows them all."""
    if max(tokens, default=0) < vocabulary:
        return tuple(tokens)
    at = next(i for i, token in enumerate(tokens) if token >= vocabulary)
    if field == "prompt_tokens":
        raise invalid_argument(
            f"{field}[{at}]", f"got {tokens[at]}, accepted: 0 to {vocabulary - 1}"
        )
    raise invalid_argument(
        field, f"its token {tokens[at]} is unknown to the model, accepted: 0 to {vocabulary - 1}"
    )
