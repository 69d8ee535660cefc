import threading
import time

import pytest

from solvers.deadline import deadline
from solvers.stop import Stop


def test_it_is_over_when_the_time_is_up() -> None:
    with deadline(0.05) as over:
        assert not over()
        time.sleep(0.06)
        assert over()


@pytest.mark.parametrize("limit_s", [0.0, -1.0])
def test_no_time_is_over_at_once(limit_s: float) -> None:
    with deadline(limit_s) as over:
        assert over()


def test_it_is_over_when_another_thread_stops_it() -> None:
    stop = Stop()
    with deadline(60.0, stop) as over:
        assert not over()
        asking = threading.Thread(target=stop.ask)
        asking.start()
        asking.join()
        assert over()


def test_what_was_stopped_before_is_over_at_once() -> None:
    stop = Stop()
    stop.ask()
    with deadline(60.0, stop) as over:
        assert over()
