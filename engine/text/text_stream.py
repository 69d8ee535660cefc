"""Tokens to text, a few at a time, so that what was given out stays as it is.

A character of several bytes may be spread over tokens, and those over canvases. Tokens that are
text by themselves are given out at once; a run of others waits for its end, since what it says is
known only then. All that is given out, joined, is the text of all tokens decoded at once.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from copy import copy

from engine.text.tokenizer import Tokenizer

#: What stands for bytes that are no character.
_BROKEN = "\ufffd"
#: Of tokenizers that fall back to bytes; a run of such tokens is decoded as one.
_BYTE = re.compile("<0x[0-9A-F]{2}>")
#: Decoders may drop a blank that begins a text; after this they drop none.
_BEFORE = "a"


class Pieces:
    """What each token adds to a text that has begun, found once a token.

    Shared by the texts of a tokenizer; one event loop or thread uses it at a time.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._before = tokenizer.encode(_BEFORE, add_special_tokens=False)
        self._skipped = len(tokenizer.decode(self._before))
        self._known: dict[int, str | None] = {}

    def text_of(self, tokens: list[int], begun: bool) -> str:
        """What a run of tokens says; ``begun`` tells whether a text stands before it."""
        if begun:
            return self._tokenizer.decode([*self._before, *tokens])[self._skipped :]
        return self._tokenizer.decode(tokens)

    def whole(self, token: int) -> str | None:
        """What a token says after a text; None where that depends on its neighbours."""
        if token not in self._known:
            text = self.text_of([token], begun=True)
            is_byte = _BYTE.fullmatch(self._tokenizer.backend.id_to_token(token) or "")
            self._known[token] = None if is_byte or _BROKEN in text else text
        return self._known[token]


class TextStream:
    """A text that grows by tokens. Control tokens add nothing."""

    def __init__(self, pieces: Pieces, special: frozenset[int]) -> None:
        self._pieces = pieces
        self._special = special
        self._run: list[int] = []
        self._begun = False

    def push(self, token: int) -> str:
        """Take a token; what can be said for certain since the last one."""
        if token in self._special:
            return ""
        text = self._pieces.whole(token)
        if text is None:
            self._run.append(token)
            return ""
        waited = self.flush()
        if not self._begun:
            text = self._pieces.text_of([token], begun=False)
            self._begun = True
        return waited + text

    def push_all(self, tokens: Iterable[int]) -> str:
        """Take tokens in order; see ``push``."""
        return "".join(map(self.push, tokens))

    def flush(self) -> str:
        """What still waits, as it stands; nothing more is to come that could complete it."""
        if not self._run:
            return ""
        text = self._pieces.text_of(self._run, self._begun)
        self._run, self._begun = [], True
        return text

    def fork(self) -> TextStream:
        """A stream that goes on from here by itself."""
        other = copy(self)
        other._run = list(self._run)
        return other
