"""A turn of a conversation."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ChatMessage:
    """One turn of a conversation.

    Attributes:
        role: whose, as the chat template names them: ``system``, ``user``, ``assistant`` ...
        content: what was said.
    """

    role: str
    content: str
