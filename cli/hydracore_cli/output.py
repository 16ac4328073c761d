"""What commands print: plain lines when piped, stages with a running clock on a terminal."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn


def make_console(*, stderr: bool = False) -> Console:
    """Return a console that breaks no line of text and colours nothing by guessing."""
    found = Console(stderr=stderr, highlight=False, soft_wrap=True)
    if not found.is_terminal and "COLUMNS" not in os.environ:
        found.width = PIPED_WIDTH
    return found


PIPED_WIDTH = 140
"""Width of tables where there is no terminal to ask."""


class Reporter:
    """Tells a person which stage is under way, how long it usually takes, and how it ended."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        """Write to this console; ``clock`` counts seconds."""
        self.console = console
        self._clock = clock
        self._title: str | None = None
        self._since = 0.0
        self._live: Progress | None = None

    def begin(self, title: str, usual_seconds: float | None = None) -> None:
        """Begin a stage; one that was under way is taken as done."""
        self.end()
        self._title, self._since = title, self._clock()
        usual = f" (usually {describe_seconds(usual_seconds)})" if usual_seconds else ""
        if self.console.is_terminal:
            self._live = Progress(
                SpinnerColumn(),
                TextColumn("{task.description}"),
                TimeElapsedColumn(),
                console=self.console,
                transient=True,
            )
            self._live.add_task(escape(title + usual))
            self._live.start()

    def update(self, detail: str) -> None:
        """Show where the stage under way is; lines are kept only on a terminal."""
        if self._live is not None and self._title is not None:
            text = escape(f"{self._title}: {detail}")
            self._live.update(self._live.task_ids[0], description=text)

    def end(self, detail: str = "") -> None:
        """End the stage under way, well."""
        self._finish("[green]ok[/]  ", detail)

    def fail(self, detail: str = "") -> None:
        """End the stage under way, badly."""
        self._finish("[red]FAIL[/]", detail)

    def line(self, text: str = "") -> None:
        """Print a line of plain text."""
        self.console.print(text, markup=False)

    def heading(self, text: str) -> None:
        """Print a heading."""
        self.end()
        self.console.print(f"\n[bold]{escape(text)}[/]")

    @contextmanager
    def stage(self, title: str, usual_seconds: float | None = None) -> Iterator[None]:
        """Show the body as one stage; an error marks it as failed and goes on."""
        self.begin(title, usual_seconds)
        try:
            yield
        except BaseException:
            self.fail()
            raise
        self.end()

    def _finish(self, mark: str, detail: str) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None
        if self._title is None:
            return
        seconds = describe_seconds(self._clock() - self._since)
        extra = f": {detail}" if detail else ""
        self.console.print(f"  {mark} {escape(self._title + extra)} [dim]({seconds})[/]")
        self._title = None


def describe_seconds(seconds: float) -> str:
    """Return a duration for people: ``3.4 s``, ``48 s``, ``6 min 6 s``."""
    if seconds < 10:  # noqa: PLR2004 - tenths matter only while they are small
        return f"{seconds:.1f} s"
    whole = round(seconds)
    minutes, rest = divmod(whole, 60)
    return f"{minutes} min {rest} s" if minutes else f"{whole} s"
