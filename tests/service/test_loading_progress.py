"""What is shown of loading: a bar, an event now and then, or nothing."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest
from rich.console import Console
from structlog.testing import capture_logs

from service import loading_progress
from service.loading_progress import LoggedProgress, ProgressBar

Clock = Callable[[float], None]


@pytest.fixture
def set_clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Sets the time that progress goes by; 0 to begin with."""
    now = [0.0]
    monkeypatch.setattr(loading_progress.time, "monotonic", lambda: now[0])
    return lambda seconds: now.__setitem__(0, seconds)


def test_an_event_comes_after_two_seconds_and_then_every_five(set_clock: Clock) -> None:
    with capture_logs() as logs:
        progress = LoggedProgress("big")
        for second in range(13):
            set_clock(second)
            progress(second * 10, 120)
    assert [log["percent"] for log in logs] == [17, 58, 100]
    assert logs[1] == {
        "event": "model_loading",
        "log_level": "info",
        "model": "big",
        "percent": 58,
        "done_bytes": 70,
        "total_bytes": 120,
        "bytes_per_s": 10,
    }


def terminal() -> tuple[Console, io.StringIO]:
    file = io.StringIO()
    return Console(file=file, force_terminal=True, width=100), file


def test_a_bar_names_the_model_and_its_bytes(set_clock: Clock) -> None:
    console, shown = terminal()
    bar = ProgressBar("big", console)
    set_clock(2.5)
    bar(20 * 10**9, 50 * 10**9)
    bar.close()
    assert "loading big" in shown.getvalue()
    assert "20.0/50.0 GB" in shown.getvalue()


def test_what_is_quick_shows_nothing(set_clock: Clock) -> None:
    console, shown = terminal()
    bar = ProgressBar("small", console)
    with capture_logs() as logs:
        progress = LoggedProgress("small")
        for second in (0.5, 1.9):
            set_clock(second)
            bar(1, 2)
            progress(1, 2)
    bar.close()
    assert logs == []
    assert shown.getvalue() == ""


def test_a_terminal_gets_a_bar_and_a_file_gets_events(monkeypatch: pytest.MonkeyPatch) -> None:
    for is_terminal, kind in ((True, ProgressBar), (False, LoggedProgress)):
        monkeypatch.setattr(Console, "is_terminal", is_terminal)
        with loading_progress.loading_progress("big") as progress:
            assert type(progress) is kind
