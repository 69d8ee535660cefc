"""Variables that begin like ours and are none: a mistyped one would be ignored without a word."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches

#: What Kubernetes sets in every pod beside a Service whose name begins with inkfill.
_SERVICE_LINKS = re.compile(
    r"(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)"
)
_ADDRESS_LINK = re.compile(r"(\w+_)?PORT")
_LINKED = re.compile(r"(tcp|udp|sctp)://", re.IGNORECASE)


def is_linked(value: str) -> bool:
    """Whether a value is an address as Kubernetes writes it into ``NAME_PORT``."""
    return _LINKED.match(value) is not None


def unknown_variables(
    environment: Mapping[str, str], prefix: str, known: Sequence[str]
) -> list[str]:
    """What to say of each variable that begins with ``prefix`` and is none of ``known``.

    Args:
        environment: names and values; case does not count in names.
        prefix: of all our variables, in capitals.
        known: our variables, in capitals.
    """
    return [
        f"{name}: no such setting; {_advice(name.upper(), prefix, known)}"
        for name, value in sorted(environment.items())
        if name.upper().startswith(prefix)
        and name.upper() not in known
        and not _is_service_link(name.upper().removeprefix(prefix), value)
    ]


def _is_service_link(rest: str, value: str) -> bool:
    if _SERVICE_LINKS.fullmatch(rest):
        return True
    return _ADDRESS_LINK.fullmatch(rest) is not None and is_linked(value)


def _advice(name: str, prefix: str, known: Sequence[str]) -> str:
    # Compared without what all of them share, which would make any two of them alike.
    rests = [each.removeprefix(prefix) for each in known]
    near = get_close_matches(name.removeprefix(prefix), rests)
    if near:
        return f"did you mean {' or '.join(prefix + rest for rest in near)}?"
    return f"accepted: {', '.join(known)}"
