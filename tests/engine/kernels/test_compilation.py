"""Compiling is told of; loading what is compiled is not."""

import numba
from structlog.testing import capture_logs

from engine.kernels.compilation import log_compilation, watch_compilation


def test_the_first_compilation_is_told_of_once_and_what_is_compiled_not_again() -> None:
    def double(number: int) -> int:
        return 2 * number

    kernel, told = numba.njit(double), list[str]()
    with watch_compilation(lambda: told.append("first")):
        kernel(1)
        kernel(1.0)
        assert told == ["first"]
    with watch_compilation(lambda: told.append("second")):
        kernel(2)
    numba.njit(double)(3)
    assert told == ["first"]


def test_compiling_is_logged_with_the_time_that_it_took_and_nothing_else_is() -> None:
    kernel = numba.njit(lambda number: number + 1)
    with capture_logs() as logs:
        with log_compilation():
            kernel(1)
        with log_compilation():
            kernel(2)
    assert [entry["event"] for entry in logs] == ["compiling_kernels", "kernels_compiled"]
    assert "30 s" in logs[0]["expect"]
    assert logs[1]["ms"] > 0
