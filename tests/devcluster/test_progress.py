"""What a person sees of a long step."""

from __future__ import annotations

import io

import pytest

from hydracore_devcluster.progress import Progress, duration


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (59.9, "59 s"), (60, "1 min 00 s"), (366, "6 min 06 s"), (3600, "60 min 00 s")],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_a_log_gets_a_line_every_quarter_of_a_minute() -> None:
    out, times = io.StringIO(), iter([0.0, 1.0, 14.9, 15.0, 16.0])
    progress = Progress(out, clock=lambda: next(times))
    for number in range(5):
        progress.step(f"step {number}")
    assert out.getvalue() == "step 0\nstep 3\n"


def test_a_terminal_gets_one_line_that_changes() -> None:
    out, times = Terminal(), iter([0.0, 0.1, 1.0])
    progress = Progress(out, clock=lambda: next(times))
    progress.step("one")
    progress.step("too soon")
    progress.step("x" * 10_000)
    progress.say("done")
    assert "too soon" not in out.getvalue()
    assert "x" * 10_000 not in out.getvalue()
    assert out.getvalue().count("\n") == 1
    assert out.getvalue().endswith("\r\x1b[Kdone\n")
