"""Where a server listens."""

from __future__ import annotations

import socket

from service.settings import SettingsError


class BindError(SettingsError):
    """The address cannot be listened on; the message says how to choose another."""

    def __init__(self, address: str) -> None:
        super().__init__(
            f"cannot listen on {address}: the port is taken or the host is not this machine's; "
            "choose others with --host and --port (INKFILL_HOST, INKFILL_PORT); "
            "port 0 takes a free one"
        )


def address_of(host: str, port: int) -> str:
    """``host:port``, with an IPv6 host in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def check_address(host: str, port: int) -> None:
    """See whether an address can be listened on, without listening.

    As for gRPC, one of those that the host's name stands for is enough.

    Raises:
        BindError: it is taken or is not this machine's.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:  # the latter for labels that no name can have
        raise BindError(address_of(host, port)) from error
    if not any(_can_bind(family, where) for family, _, _, _, where in found):
        raise BindError(address_of(host, port))


def _can_bind(family: int, where: tuple[object, ...]) -> bool:
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            # As gRPC does: connections of a server that has just ended do not hold the port.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(where)
    except OSError:
        return False
    return True
