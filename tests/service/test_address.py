"""Addresses are tried before the slow part of a start."""

import socket

import pytest

from service.address import BindError, check_address


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0.0.0.0"])
def test_a_free_port_may_be_listened_on_and_a_taken_one_not(host: str) -> None:
    check_address(host, 0)
    with socket.create_server((host, 0)) as taken:
        port = taken.getsockname()[1]
        if host != "localhost":  # which may have an IPv6 address as well, whose port is free
            with pytest.raises(BindError, match=f"{host}:{port}.*--port"):
                check_address(host, port)
    check_address(host, port)


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid", "x" * 64])
def test_a_host_that_is_not_this_machines_is_refused(host: str) -> None:
    with pytest.raises(BindError, match="INKFILL_HOST"):
        check_address(host, 0)
