"""Where chat templates run: they change nothing, and no expression makes anything large.

Jinja's sandbox bounds ranges. Here whatever makes much out of little is asked for its size first:
operators, methods, filters, and what becomes text.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from types import MappingProxyType
from typing import Any

from jinja2 import nodes, pass_environment, pass_eval_context
from jinja2.filters import FILTERS, make_attrgetter, sync_do_join, sync_do_sum
from jinja2.nodes import EvalContext
from jinja2.runtime import Context
from jinja2.sandbox import (
    ImmutableSandboxedEnvironment,
    SandboxedEscapeFormatter,
    SandboxedFormatter,
)
from jinja2.visitor import NodeTransformer

from engine.text import template_sizes as sizes
from engine.text.template_sizes import TooLargeError, bounded, check, written

_Sizes = Mapping[str, Callable[..., int]]

#: Of what methods of texts and numbers make, by the text or number and what the method is given.
_METHODS: _Sizes = MappingProxyType(
    {
        **dict.fromkeys(("center", "ljust", "rjust", "zfill"), sizes.padded),
        "expandtabs": sizes.expanded,
        "join": sizes.joined,
        "replace": sizes.replaced,
        "to_bytes": sizes.padded,
        "translate": sizes.translated,
    }
)
#: Of what filters make, by what they are given.
_FILTERS: _Sizes = MappingProxyType(
    {
        "batch": sizes.padded,
        "center": sizes.padded,
        "format": lambda form, *args, **named: sizes.formatted(str(form), named or args),
        "indent": sizes.indented,
        "replace": lambda text, old, new, count=None: sizes.replaced(
            str(text), str(old), str(new), -1 if count is None else count
        ),
        "round": lambda _, precision=0, *__, **___: 4 * abs(precision),  # of 10 ** precision
        "slice": sizes.padded,
        "wordwrap": sizes.wrapped,
    }
)
#: Filters that make a text of a value that may be none, and little more.
_TEXTS = (
    *("capitalize", "e", "escape", "forceescape", "lower", "pprint", "safe", "string", "striptags"),
    *("title", "trim", "truncate", "upper", "urlencode", "urlize", "wordcount", "xmlattr"),
)


class Sandbox(ImmutableSandboxedEnvironment):
    """Jinja's sandbox with bounds. What is too large raises a TooLargeError."""

    intercepted_binops = frozenset(("+", "*", "**", "%"))
    concat = staticmethod(bounded)

    def __init__(self, **options: Any) -> None:
        super().__init__(finalize=_text, **options)
        del self.globals["lipsum"]  # it writes as much as it is asked for
        self.filters.update(
            {name: _measured(name, _FILTERS.get(name)) for name in (*_FILTERS, *_TEXTS)},
            join=_join,
            sum=_sum,
            tojson=_to_json,
        )

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """See ``SandboxedEnvironment.call_binop``."""
        check(f"the operator {operator}", sizes.operated(operator, left, right))
        return super().call_binop(context, operator, left, right)

    def call(self, context: Context, obj: Any, /, *args: Any, **kwargs: Any) -> Any:
        """See ``SandboxedEnvironment.call``."""
        name, owner = getattr(obj, "__name__", ""), getattr(obj, "__self__", None)
        if name in _METHODS and isinstance(owner, str | bytes | int):
            if name == "join":
                args = tuple(map(list, args))  # it may be there once only
            check(f"the method {name}", _METHODS[name](owner, *args, **kwargs))
        return super().call(context, obj, *args, **kwargs)

    def wrap_str_format(self, value: Any) -> Callable[..., str] | None:
        """See ``SandboxedEnvironment.wrap_str_format``."""
        if super().wrap_str_format(value) is None:
            return None
        text: str = value.__self__
        by_name = value.__name__ == "format_map"

        def form(*args: Any, **named: Any) -> str:
            given = ((), *args) if by_name else (args, named)
            return type(text)(_formatter(self, text).vformat(text, *given))

        return form

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        tree: nodes.Template = _Joins().visit(super()._parse(source, name, filename))
        return tree


class _Joins(NodeTransformer):
    """``a ~ b`` as ``(a, b) | join``, which is the same and asked for its size."""

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:  # noqa: N802  # Jinja's name
        self.generic_visit(node)
        here = {"lineno": node.lineno, "environment": node.environment}
        parts = nodes.Tuple(node.nodes, "load", **here)
        return nodes.Filter(parts, "join", [], [], None, None, **here)


class _BoundedFields:
    """Bounds what ``str.format`` writes, all its fields together."""

    _size = 0

    def convert_field(self, value: Any, conversion: Any) -> Any:
        check("the method format", written(value))
        return super().convert_field(value, conversion)  # type: ignore[misc]

    def format_field(self, value: Any, spec: str) -> Any:
        check("the method format", sizes.specified(spec))
        self._size += len(text := super().format_field(value, spec))  # type: ignore[misc]
        check("the method format", self._size)
        return text


class _Formatter(_BoundedFields, SandboxedFormatter):
    pass


class _EscapeFormatter(_BoundedFields, SandboxedEscapeFormatter):
    pass


def _formatter(sandbox: Sandbox, text: Any) -> SandboxedFormatter:
    if hasattr(text, "__html__"):  # which escapes what it is given
        return _EscapeFormatter(sandbox, escape=text.escape)
    return _Formatter(sandbox)


def _text(value: Any) -> Any:
    """What is about to be written."""
    check("the text", written(value))
    return value


def _measured(name: str, size: Callable[..., int] | None) -> Callable[..., Any]:
    """Jinja's filter of that name, asked for its size."""
    original = FILTERS[name]
    own = 1 if hasattr(original, "jinja_pass_arg") else 0  # what comes before the value

    @wraps(original)
    def measured(*args: Any, **named: Any) -> Any:
        for value in (*args[own:], *named.values()):
            check(f"the filter {name}", written(value))
        if size is not None:
            check(f"the filter {name}", size(*args[own:], **named))
        return original(*args, **named)

    return measured


@pass_eval_context
def _join(context: EvalContext, value: Iterable[Any], d: str = "", attribute: Any = None) -> str:
    if attribute is not None:
        value = map(make_attrgetter(context.environment, attribute), value)
    items = list(value)
    check("a text that is joined", sizes.joined(str(_text(d)), items))
    text: str = sync_do_join(context, items, d)
    return text


@pass_environment
def _sum(sandbox: Sandbox, value: Iterable[Any], attribute: Any = None, start: Any = 0) -> Any:
    if not isinstance(start, int | float):
        raise TooLargeError("the filter sum adds lists, accepted: numbers")
    return sync_do_sum(sandbox, value, attribute, start)


def _to_json(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    """JSON that escapes no HTML."""
    check("the filter tojson", indent if isinstance(indent, int) else 0)
    encoder = json.JSONEncoder(
        ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys
    )
    return bounded(encoder.iterencode(value))
