"""How large what a template makes would be, told before it is made.

Sizes are characters of a text, items of a list, bits of a whole number: at least as many as there
will be, but for escapes in texts that stand in lists.
"""

from __future__ import annotations

import re
from collections.abc import ItemsView, Iterable, KeysView, Mapping, ValuesView
from typing import Any

from jinja2.utils import Namespace

#: Of one value. Twice as much as the longest conversation has when it is written down.
MOST = 2**22

#: A conversion of printf: key, flags, width, precision, length, kind.
_CONVERSION = re.compile(r"%(?:\([^()]*\))?[-#0 +]*(\d*)(?:\.(\d*))?[hlL]?[a-zA-Z%]|%")
_FLOAT = 400  # digits of the largest one, written out


class TooLargeError(OverflowError):
    """A template would make something too large."""


def check(what: str, size: int) -> None:
    """Refuse what is too large.

    Raises:
        TooLargeError: it is.
    """
    if size > MOST:
        made = f"{size} characters, items or bits"
        raise TooLargeError(f"{what} would make {made}, accepted: at most {MOST}")


def bounded(pieces: Iterable[str]) -> str:
    """The pieces as one text, as long as it is not too long.

    Raises:
        TooLargeError: it is.
    """
    kept, size = [], 0
    for piece in pieces:
        size += len(piece)
        check("the text", size)
        kept.append(piece)
    return "".join(kept)


def written(value: object) -> int:
    """Of a value as text. Lists in lists may share their items, so that counting stops beyond MOST.

    A number beyond MOST is the least that it can be.
    """
    size, left = 0, [value]
    while left and size <= MOST:
        item = left.pop()
        if isinstance(item, str | bytes):
            size += len(item)
        elif isinstance(item, int):
            size += 5 + item.bit_length()
        elif isinstance(item, Namespace):
            left.append(item._Namespace__attrs)
        elif isinstance(item, Mapping):
            size += 2 + 8 * len(item)
            left += (*item, *item.values())
        elif isinstance(item, list | tuple | set | frozenset | KeysView | ValuesView | ItemsView):
            size += 20 + 4 * len(item)
            left += item
        else:
            size += 50
    return size


def operated(operator: str, left: Any, right: Any) -> int:
    """Of what an operator makes."""
    match operator, left, right:
        case "+", str() | bytes() | list() | tuple(), str() | bytes() | list() | tuple():
            return len(left) + len(right)
        case "*", str() | bytes() | list() | tuple(), int():
            return len(left) * right
        case "*", int(), str() | bytes() | list() | tuple():
            return left * len(right)
        case "*", int(), int():
            return left.bit_length() + right.bit_length()
        case "**", int(), int() if abs(left) > 1:
            return left.bit_length() * right
        case "%", str() | bytes(), _:
            return formatted(left, right)
    return 0


def formatted(form: str | bytes, values: Any) -> int:
    """Of ``form % values``.

    Raises:
        TooLargeError: a conversion takes its width from a value, or its key has brackets.
    """
    text = form if isinstance(form, str) else form.decode("latin-1")
    size, count = len(text), 0
    for conversion in _CONVERSION.finditer(text):
        if conversion[0] == "%":
            raise TooLargeError(
                f"the conversion {text[conversion.start() :][:20]!r} may make anything, accepted: "
                "a width in digits, a key without brackets"
            )
        size += sum(int(number) for number in conversion.groups() if number)
        count += 1
    if isinstance(values, Mapping):
        return size + count * max(map(_shown, values.values()), default=0)
    return size + sum(map(_shown, values if isinstance(values, tuple) else (values,)))


def replaced(text: Any, old: Any, new: Any, count: int = -1) -> int:
    """Of ``text.replace(old, new, count)``."""
    found = int(text.count(old))
    return len(text) + len(new) * (min(found, count) if count >= 0 else found)


def joined(separator: str | bytes, items: Iterable[Any]) -> int:
    """Of ``separator.join(items)``, items that are no text written."""
    sizes = [written(item) for item in items]
    return sum(sizes) + len(separator) * len(sizes)


def padded(_: object, *given: object, **named: object) -> int:
    """Of what is filled up to a size, which is the one number that is given."""
    numbers = (value for value in (*given, *named.values()) if isinstance(value, int))
    return max(numbers, default=0)


def indented(text: Any, width: int | str = 4, *_: object, **__: object) -> int:
    """Of a text whose lines are indented."""
    lines = str(text).splitlines()
    return len(str(text)) + (len(lines) + 1) * (width if isinstance(width, int) else len(width))


def wrapped(text: Any, *given: Any, wrapstring: str | None = None, **_: object) -> int:
    """Of a text that may be folded after every character."""
    fold = wrapstring or (given[2] if len(given) > 2 else None) or "\n"
    return len(str(text)) + len(fold) * (len(str(text)) + 1)


def specified(spec: str) -> int:
    """Of a field of ``str.format``: its width and its precision."""
    return sum(map(int, re.findall(r"\d+", spec)))


def expanded(text: str | bytes, tabsize: int = 8) -> int:
    """Of ``text.expandtabs(tabsize)``."""
    tabs = text.count(b"\t") if isinstance(text, bytes) else text.count("\t")
    return len(text) + max(0, tabsize) * tabs


def translated(text: str | bytes, table: Any, *_: object) -> int:
    """Of ``text.translate(table)``."""
    values = table.values() if isinstance(table, Mapping) else ()
    return len(text) * max((len(value) for value in values if isinstance(value, str)), default=1)


def _shown(value: object) -> int:
    return _FLOAT if isinstance(value, float) else written(value)
