"""How long a call may still think."""

from __future__ import annotations

from typing import Any, cast

import grpc

#: Kept of the caller's time for checking, encoding and the way back.
_RESERVE_S = 0.05


def limit_s(context: grpc.aio.ServicerContext[Any, Any]) -> float | None:
    """Seconds that may be spent on an answer; None where the caller set no deadline."""
    remaining = cast("float | None", context.time_remaining())  # its stub forgets None
    if remaining is None:
        return None
    return max(0.0, remaining - _RESERVE_S)
