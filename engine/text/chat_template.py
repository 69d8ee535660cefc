"""A checkpoint's chat template: messages to the text that the model was trained to continue.

Templates are Jinja and find in it what transformers gives them: block trimming, loop controls,
``raise_exception``, ``strftime_now``, a ``tojson`` that escapes no HTML, the special tokens by
name. They run in a sandbox in which they change nothing, not for ever, and in which no product or
power makes much of little. They are the operator's choice, as weights are, and not held to more.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, NoReturn

from jinja2 import Template, TemplateError, nodes
from jinja2.ext import Extension, loopcontrols
from jinja2.parser import Parser
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

from engine.text.message import ChatMessage
from engine.text.time_limit import time_limit
from engine.text.tokenizer import CONFIG_FILE, TokenizerError, read_config

TEMPLATE_FILE = "chat_template.jinja"
#: Of computing, for one conversation. The longest takes a few hundredths.
RENDER_LIMIT_S = 1.0
#: Characters, items or bits that a product or a power in a template may have.
LARGEST = 2**22
#: What Jinja calls the code of a template that is compiled from a string.
_COMPILED = "<template>"


class ChatTemplateError(ValueError):
    """Messages that a template refuses, or fails on; the message is the template's."""


@dataclass(frozen=True, eq=False)
class ChatTemplate:
    """How a checkpoint writes a conversation down.

    Attributes:
        template: compiled.
        names: special tokens by name, for the template to write.
    """

    template: Template
    names: Mapping[str, str]

    @classmethod
    def from_folder(cls, folder: Path, names: Mapping[str, str]) -> ChatTemplate | None:
        """Read a checkpoint's template, from a file of its own or from the tokenizer's config.

        Returns:
            None where the checkpoint has none.

        Raises:
            TokenizerError: it is no template.
        """
        path = folder / TEMPLATE_FILE
        if not path.exists():
            path = folder / CONFIG_FILE
        try:
            source = _source(path)
            return None if source is None else cls(_environment().from_string(source), names)
        except TokenizerError:
            raise
        except Exception as error:  # noqa: BLE001  # compiling computes constants, which may fail
            raise TokenizerError(f"{path}: the chat template cannot be read: {error}") from None

    def render(self, messages: Sequence[ChatMessage], **variables: object) -> str:
        """The text of a conversation, up to where the model's next turn begins.

        Args:
            messages: the turns so far.
            variables: for the template, such as ``enable_thinking``.

        Raises:
            ChatTemplateError: the template refuses the messages, fails, or finds no end.
        """
        turns = [{"role": turn.role, "content": turn.content} for turn in messages]
        try:
            with time_limit(RENDER_LIMIT_S, _COMPILED):
                text = self.template.render(
                    messages=turns,
                    tools=None,
                    documents=None,
                    add_generation_prompt=True,
                    **self.names,
                    **variables,
                )
            text.encode()  # a template can write half a character
        except Exception as error:  # a template is a program, and may fail in any way
            said = str(error) or type(error).__name__
            raise ChatTemplateError(said.encode(errors="replace").decode()) from error
        return text


class _Generation(Extension):
    """``{% generation %}`` marks for training what the assistant said; here it changes nothing."""

    tags = {"generation"}  # noqa: RUF012  # as its base class has it

    def parse(self, parser: Parser) -> list[nodes.Node]:
        """The block's body."""
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


class _Sandbox(ImmutableSandboxedEnvironment):
    intercepted_binops = frozenset(("*", "**"))

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """See ``SandboxedEnvironment.call_binop``."""
        size = _product_size(left, right) if operator == "*" else _power_size(left, right)
        if size > LARGEST:
            raise TemplateError(
                f"the operator {operator} would make {size} characters, items or bits, accepted: "
                f"at most {LARGEST}"
            )
        return super().call_binop(context, operator, left, right)


def _product_size(left: Any, right: Any) -> int:
    match left, right:
        case int(), int():
            return left.bit_length() + right.bit_length()
        case int(), str() | bytes() | list() | tuple():
            return left * len(right)
        case str() | bytes() | list() | tuple(), int():
            return len(left) * right
    return 0


def _power_size(base: Any, exponent: Any) -> int:
    whole = isinstance(base, int) and isinstance(exponent, int)
    return base.bit_length() * exponent if whole else 0


def _environment() -> ImmutableSandboxedEnvironment:
    environment = _Sandbox(
        trim_blocks=True, lstrip_blocks=True, extensions=[_Generation, loopcontrols]
    )
    environment.filters["tojson"] = _to_json
    environment.globals["raise_exception"] = _raise
    environment.globals["strftime_now"] = _now
    return environment


def _source(path: Path) -> str | None:
    """The template of a file of its own, or of the tokenizer's config; None if that has none."""
    if path.name == TEMPLATE_FILE:
        return path.read_text(encoding="utf-8")
    return _default(read_config(path.parent).get("chat_template"))


def _default(entry: Any) -> str | None:
    """The template of an entry: one as it is, or the default of several with names."""
    if isinstance(entry, list):
        named = (item for item in entry if isinstance(item, dict))
        entry = next(
            (item.get("template") for item in named if item.get("name") == "default"), None
        )
    if isinstance(entry, dict):
        entry = entry.get("default")
    return entry if isinstance(entry, str) else None


def _to_json(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    return json.dumps(
        value,
        ensure_ascii=ensure_ascii,
        indent=indent,
        separators=separators,
        sort_keys=sort_keys,
    )


def _raise(message: str) -> NoReturn:
    raise TemplateError(message)


def _now(form: str) -> str:
    """The time of the server's clock, where it stands."""
    return datetime.now().strftime(form)
