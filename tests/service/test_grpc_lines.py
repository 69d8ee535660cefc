"""gRPC's core writes its own lines beside ours only for those who ask."""

import os
import socket
import subprocess
import sys

LISTEN_IN_VAIN = """
import sys
from service.cli import main

port, sys.argv[1:] = sys.argv[1], ["--version"]
try:
    main()
except SystemExit:
    import asyncio, grpc

    async def listen():
        try:
            grpc.aio.server(options=[("grpc.so_reuseport", 0)]).add_insecure_port(port)
        except RuntimeError:
            print("refused")

    asyncio.run(listen())
"""


def said(**variables: str) -> str:
    """What a command that cannot listen writes to standard error."""
    kept = {name: value for name, value in os.environ.items() if name != "GRPC_VERBOSITY"}
    paths = os.pathsep.join(filter(None, sys.path))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        done = subprocess.run(
            [sys.executable, "-c", LISTEN_IN_VAIN, address],
            env={**kept, "PYTHONPATH": paths, **variables},
            capture_output=True,
            text=True,
            check=True,
        )
    assert "refused" in done.stdout
    return done.stderr


def test_the_core_is_silent_unless_the_user_wants_to_hear_it() -> None:
    assert said() == ""
    assert "add_port" in said(GRPC_VERBOSITY="ERROR")
