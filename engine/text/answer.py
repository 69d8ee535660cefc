"""An answer in two parts: what the model thought to itself, and what it says.

Gemma encloses its thought in a channel: ``<|channel>thought``, a line feed, the thought,
``<channel|>``; without thought the channel may be there all the same, empty
(https://ai.google.dev/gemma/docs/core/prompt-formatting-gemma4). A template may have opened the
channel in the prompt. Where the checkpoint names no such tokens, all is said and nothing thought.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from copy import copy
from typing import NamedTuple

from engine.text.text_stream import Pieces, TextStream
from engine.text.tokenizer import Tokenizer


class Part(NamedTuple):
    """Some more of an answer. A tuple, since every token of every draft makes one."""

    thought: str = ""
    text: str = ""

    def then(self, more: Part) -> Part:
        """The two as one."""
        return Part(self.thought + more.thought, self.text + more.text)


_NOTHING = Part()


class Answer:
    """An answer that grows by tokens.

    Args:
        tokenizer: of the model.
        pieces: of that tokenizer.
        prompt: what the answer follows; it may end inside a channel.
    """

    def __init__(self, tokenizer: Tokenizer, pieces: Pieces, prompt: Sequence[int] = ()) -> None:
        self._begin, self._end = tokenizer.channel or (-1, -1)
        self._thought = TextStream(pieces, tokenizer.special_ids)
        self._text = TextStream(pieces, tokenizer.special_ids)
        self._inside = False
        self._naming = False  # whether the line that names the channel goes on
        for token in _open_channel(prompt, self._begin, tokenizer.special_ids):
            self.push(token)

    def push(self, token: int) -> Part:
        """Take a token; what can be said for certain since the last one."""
        if token == self._begin and not self._inside:
            self._inside = self._naming = True
            return _NOTHING
        if not self._inside:
            return Part("", self._text.push(token))
        if token != self._end:
            return Part(self._unnamed(self._thought.push(token)))
        rest = self._unnamed(self._thought.flush())
        self._inside = self._naming = False
        return Part(rest)

    def push_all(self, tokens: Iterable[int], *, last: bool = False) -> Part:
        """Take tokens in order; ``last`` says that no more are to come."""
        parts = [self.push(token) for token in tokens]
        if last:
            parts.append(self.flush())
        return Part("".join(p.thought for p in parts), "".join(p.text for p in parts))

    def flush(self) -> Part:
        """What still waits, as it stands."""
        return Part(self._unnamed(self._thought.flush()), self._text.flush())

    def fork(self) -> Answer:
        """An answer that goes on from here by itself."""
        other = copy(self)
        other._thought, other._text = self._thought.fork(), self._text.fork()
        return other

    def _unnamed(self, text: str) -> str:
        """Leave out the line that names the channel."""
        if not self._naming:
            return text
        _, line_feed, rest = text.partition("\n")
        self._naming = not line_feed
        return rest


def _open_channel(prompt: Sequence[int], begin: int, special: Container[int]) -> Sequence[int]:
    """The end of a prompt from the channel on that it leaves open; nothing if it leaves none.

    Any other control token after it, the channel's end or a new turn, has closed it.
    """
    for at in range(len(prompt) - 1, -1, -1):
        if prompt[at] in special:
            return prompt[at:] if prompt[at] == begin else ()
    return ()
