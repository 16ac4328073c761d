"""Call Go for a module of tools, and turn what it says into progress."""

from __future__ import annotations

import collections
import os
import selectors
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO

from hydracore_devcluster.errors import BuildFailedError
from hydracore_devcluster.golang import Go
from hydracore_devcluster.layout import ProjectLayout
from hydracore_devcluster.process import die_with_parent
from hydracore_devcluster.progress import Progress, duration
from hydracore_devcluster.toolset import Toolset

_LIMIT_SECONDS = 3 * 3600.0
_TICK_SECONDS = 0.5
_KEPT_LINES = 15


class GoTool:
    """Go, in the folder of the module, with the environment that the build needs."""

    def __init__(
        self,
        go: Go,
        tools: Toolset,
        layout: ProjectLayout,
        environ: Mapping[str, str],
        progress: Progress,
    ) -> None:
        """Prepare to call it; nothing runs yet."""
        self._go = go
        self._tools = tools
        self._folder = tools.source(layout)
        self._progress = progress
        self._env = {
            **environ,
            "CGO_ENABLED": "0",
            "GOTOOLCHAIN": "local",
            "GOFLAGS": "-buildvcs=false -mod=readonly",
            "GOWORK": "off",
        }
        if "HOME" not in environ and "GOCACHE" not in environ:
            # Without a home folder Go does not know where to cache.
            self._env["GOCACHE"] = str(layout.cache / "go-build")
            self._env["GOPATH"] = str(layout.cache / "go")
        self._began = time.monotonic()

    def download(self) -> int:
        """Download the modules and return how many packages have to be compiled.

        Raises:
            BuildFailedError: A module could not be had; quotes Go.
        """
        required = (self._folder / "go.mod").read_text().count("\n\t")
        modules, stale = 0, 0

        def on_line(line: str) -> None:
            nonlocal modules, stale
            if line.startswith("go: downloading "):
                modules += 1
                name = line.removeprefix("go: downloading ")
                self._progress.step(
                    f"downloading module {modules} of at most {required}: {name}; "
                    f"{self._elapsed()} so far"
                )
            elif not line.startswith("go: "):
                stale += 1

        template = "{{if .Stale}}{{.ImportPath}}{{end}}"
        self._run(
            ["list", *self._tools.build_flags, "-deps", "-f", template, self._tools.package],
            on_line,
            lambda: None,
        )
        if modules:
            self._progress.say(f"downloaded {modules} modules in {self._elapsed()}")
        return stale

    def build(self, target: Path, packages: int, usual_seconds: float) -> None:
        """Compile and link the programs into a folder.

        Args:
            target: The folder.
            packages: How many packages have to be compiled.
            usual_seconds: How long all of it usually takes.

        Raises:
            BuildFailedError: Quotes the end of what Go said.
        """
        compiled = 0
        last = ""

        def show() -> None:
            linking = compiled >= packages - len(self._tools.programs)
            doing = "linking the programs" if linking else last
            done = f"package {min(compiled, packages)} of {packages}"
            self._progress.step(
                f"{done}, {self._elapsed()} of usually {duration(usual_seconds)}: {doing}"
            )

        def on_line(line: str) -> None:
            nonlocal compiled, last
            if not line.startswith(("go: ", "#", "\t", " ")):
                compiled, last = compiled + 1, line
            show()

        self._run(
            ["build", "-v", *self._tools.build_flags, "-o", str(target), self._tools.package],
            on_line,
            show,
        )

    def _elapsed(self) -> str:
        return duration(time.monotonic() - self._began)

    def _run(
        self, args: list[str], on_line: Callable[[str], None], on_tick: Callable[[], None]
    ) -> None:
        """Run Go, hand over every line of its output, and call back while it is silent."""
        kept: collections.deque[str] = collections.deque(maxlen=_KEPT_LINES)
        with subprocess.Popen(  # noqa: S603 - a go of this machine, fixed arguments
            [str(self._go.binary), *args],
            cwd=self._folder,
            env=self._env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            preexec_fn=die_with_parent(os.getpid()),  # noqa: PLW1509 - only calls prctl
        ) as process:
            try:
                for line in _lines(process.stdout, _LIMIT_SECONDS):
                    if line is None:
                        on_tick()
                    elif line:
                        kept.append(line)
                        on_line(line)
            except BaseException:
                process.kill()
                raise
            status = process.wait()
        if status != 0:
            said = "\n".join(f"  {line}" for line in kept)
            raise BuildFailedError(
                f"`go {args[0]}` failed with status {status} after {self._elapsed()}. Is the "
                f"network there, and is there space on the disk? It said last:\n{said}"
            )


def _lines(stream: IO[bytes] | None, limit_seconds: float) -> Iterator[str | None]:
    """Yield lines as they come, and None whenever half a second passed without one."""
    if stream is None:
        return
    deadline = time.monotonic() + limit_seconds
    rest = b""
    with selectors.DefaultSelector() as selector:
        selector.register(stream, selectors.EVENT_READ)
        while True:
            if time.monotonic() > deadline:
                raise BuildFailedError(
                    f"Go has not finished after {duration(limit_seconds)}: try on a faster machine"
                )
            if not selector.select(_TICK_SECONDS):
                yield None
                continue
            chunk = os.read(stream.fileno(), 65536)
            if not chunk:
                break
            *whole, rest = (rest + chunk).split(b"\n")
            yield from (line.decode(errors="replace") for line in whole)
    if rest:
        yield rest.decode(errors="replace")
