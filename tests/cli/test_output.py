"""Stages and durations as people read them."""

import io

import pytest
from rich.console import Console

from hydracore_cli.output import Reporter, describe_seconds


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def reporter() -> tuple[Reporter, io.StringIO, Clock]:
    out, clock = io.StringIO(), Clock()
    return Reporter(Console(file=out, highlight=False, soft_wrap=True), clock), out, clock


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0.0 s"), (3.44, "3.4 s"), (10, "10 s"), (59.4, "59 s"), (59.6, "1 min 0 s")],
)
def test_durations(seconds: float, text: str) -> None:
    assert describe_seconds(seconds) == text


def test_a_stage_says_how_long_it_took() -> None:
    stages, out, clock = reporter()
    stages.begin("control plane", 5)
    clock.now = 3.5
    stages.end()
    stages.end()
    assert out.getvalue() == "  ok   control plane (3.5 s)\n"


def test_a_stage_that_raises_is_marked_and_goes_on() -> None:
    stages, out, _ = reporter()
    with pytest.raises(ValueError, match="broken"), stages.stage("database"):
        raise ValueError("broken")
    assert out.getvalue() == "  FAIL database (0.0 s)\n"


def test_text_of_others_is_not_taken_for_markup() -> None:
    stages, out, _ = reporter()
    stages.line("a [red]b[/] c [/x] \\")
    stages.begin("[bold]")
    stages.fail("[/y]")
    assert "a [red]b[/] c [/x] \\\n" in out.getvalue()
    assert "[bold]: [/y]" in out.getvalue()
