"""A checkpoint's ``tokenizer.json``: strings to tokens and back.

The tokens are those of transformers' ``AutoTokenizer``. What stands beside them comes from
``tokenizer_config.json``: the special tokens by name (``bos_token`` ...), and which two of them
enclose a channel of the model's own thought.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import tokenizers

TOKENIZER_FILE = "tokenizer.json"
CONFIG_FILE = "tokenizer_config.json"

#: The keys of Gemma's tokens that begin and end a channel.
_CHANNEL_KEYS = ("soc_token", "eoc_token")


class TokenizerError(ValueError):
    """The files of a tokenizer that cannot be used; the message names the file."""


@dataclass(frozen=True, eq=False)
class Tokenizer:
    """Strings to tokens and back.

    Attributes:
        backend: from ``tokenizer.json``.
        names: the special tokens' strings by name, such as ``bos_token``; also those that only
            this checkpoint names.
    """

    backend: tokenizers.Tokenizer
    names: Mapping[str, str]

    @classmethod
    def from_folder(cls, folder: Path) -> Tokenizer | None:
        """Read a checkpoint's tokenizer; None where it has none.

        Raises:
            TokenizerError: a file is damaged.
        """
        path = folder / TOKENIZER_FILE
        if not path.exists():
            return None
        try:
            backend = tokenizers.Tokenizer.from_file(str(path))
        except Exception as error:  # noqa: BLE001  # the library raises no class of its own
            raise TokenizerError(f"{path}: {error}") from None
        backend.no_truncation()
        backend.no_padding()
        names = _named(read_config(folder))
        _know_as_special(backend, names.values())
        return cls(backend, names)

    @property
    def bos_token_id(self) -> int | None:
        """The token that begins a text; None where there is none."""
        return self._id("bos_token")

    @property
    def eos_token_id(self) -> int | None:
        """The token that ends a text; None where there is none."""
        return self._id("eos_token")

    @property
    def pad_token_id(self) -> int | None:
        """The token that fills up; None where there is none."""
        return self._id("pad_token")

    @cached_property
    def channel(self) -> tuple[int, int] | None:
        """The tokens that begin and end a channel; None where the checkpoint names none."""
        begin, end = map(self._id, _CHANNEL_KEYS)
        return None if begin is None or end is None else (begin, end)

    @cached_property
    def special_ids(self) -> frozenset[int]:
        """Control tokens, which are no text."""
        added = self.backend.get_added_tokens_decoder()
        return frozenset(id_ for id_, token in added.items() if token.special)

    def encode(self, text: str, *, add_special_tokens: bool = True) -> list[int]:
        """The tokens of a text. Other threads run meanwhile.

        Control tokens that are written in the text count as such.

        Args:
            text: any.
            add_special_tokens: whether the tokens that a text begins and ends with are added, as
                the tokenizer's file says; a chat template writes them itself.
        """
        # A batch of one: encoding a single text keeps Python's lock for as long as it takes.
        encoded = self.backend.encode_batch_fast([text], add_special_tokens=add_special_tokens)
        return list(encoded[0].ids)

    def decode(self, tokens: Iterable[int]) -> str:
        """The text of tokens without the control tokens; tokens that it does not know are none."""
        return str(self.backend.decode(list(tokens), skip_special_tokens=True))

    def _id(self, name: str) -> int | None:
        text = self.names.get(name)
        return None if text is None else self.backend.token_to_id(text)


def read_config(folder: Path) -> dict[str, Any]:
    """``tokenizer_config.json``; empty where there is none.

    Raises:
        TokenizerError: it is no JSON object.
    """
    path = folder / CONFIG_FILE
    if not path.exists():
        return {}
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
        json.dumps(config, ensure_ascii=False).encode()  # JSON can spell half a character
    except (ValueError, RecursionError) as error:
        raise TokenizerError(f"{path}: {error}") from None
    if not isinstance(config, dict):
        raise TokenizerError(f"{path}: holds no JSON object")
    return config


def _named(config: Mapping[str, Any]) -> dict[str, str]:
    """The special tokens by name; each stands there as a string or as an object around one."""
    own = [config.get(f"{kind}_special_tokens") for kind in ("model_specific", "extra")]
    entries = {
        **config,
        **{k: v for more in own if isinstance(more, dict) for k, v in more.items()},
    }
    texts = {
        name: value.get("content") if isinstance(value, dict) else value
        for name, value in entries.items()
        if name.endswith("_token")
    }
    return {name: text for name, text in texts.items() if isinstance(text, str)}


def _know_as_special(backend: tokenizers.Tokenizer, texts: Iterable[str]) -> None:
    """Named tokens are special whatever the tokenizer's own file says; it keeps its numbers."""
    special = {t.content for t in backend.get_added_tokens_decoder().values() if t.special}
    known = [text for text in texts if backend.token_to_id(text) is not None]
    backend.add_special_tokens([text for text in known if text not in special])
