"""What a client may give as a prompt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

from inkfill.v1 import canvas_pb2

from engine.text.message import ChatMessage

#: Text to be continued, tokens, or the turns of a conversation.
PromptText = str | Sequence[int] | Sequence[ChatMessage]


class PromptFields(TypedDict, total=False):
    """The fields of a request that say what its prompt is."""

    prompt: str
    prompt_tokens: list[int]
    messages: list[canvas_pb2.ChatMessage]


def prompt_fields(prompt: PromptText) -> PromptFields:
    """The field that carries a prompt; an empty sequence is none."""
    if isinstance(prompt, str):
        return {"prompt": prompt}
    turns = [item for item in prompt if isinstance(item, ChatMessage)]
    tokens = [item for item in prompt if not isinstance(item, ChatMessage)]
    if turns and tokens:
        raise TypeError("a prompt is text, tokens, or ChatMessages alone")
    if not turns:
        return {"prompt_tokens": tokens}
    messages = [canvas_pb2.ChatMessage(role=turn.role, content=turn.content) for turn in turns]
    return {"messages": messages}
