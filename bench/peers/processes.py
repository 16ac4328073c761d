"""A contender's processes: started, spoken with, measured and ended."""

from __future__ import annotations

import asyncio
import contextlib
import os
from asyncio.subprocess import PIPE, Process
from collections.abc import Coroutine, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from bench.machine import Usage, usage
from bench.peers import leading
from hydracore_devcluster.layout import find_project
from hydracore_devcluster.process import die_with_parent

Part = Literal["workers", "broker"]
STOP_SECONDS = 10.0
_TAIL_BYTES = 3000


@dataclass(frozen=True)
class Program:
    """One process of a contender; the last of them leads."""

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    part: Part = "workers"


class Contestant:
    """The running processes of one contender."""

    def __init__(self, programs: Iterable[Program], logs: Path) -> None:
        """Prepare; each process writes a log of its name into a folder."""
        self._programs = list(programs)
        self._logs = logs
        self._running: dict[str, tuple[Part, Process]] = {}

    async def start(self, seconds: float) -> None:
        """Start all, and return when the leading one is ready.

        Raises:
            RuntimeError: It is not in time, or has ended; quotes all logs.
        """
        for program in self._programs:
            leads = program is self._programs[-1]
            self._running[program.name] = (program.part, await self._start(program, leads=leads))
        await self.hear(leading.READY, seconds)

    def say(self, word: str) -> None:
        """Tell the leading process a word."""
        stdin = self._leading.stdin
        assert stdin is not None
        stdin.write(f"{word}\n".encode())

    async def hear(self, word: str, seconds: float) -> None:
        """Return when the leading process has said a word.

        Raises:
            RuntimeError: It has not in time, or has ended; quotes all logs.
        """
        stdout = self._leading.stdout
        assert stdout is not None
        try:
            async with asyncio.timeout(seconds):
                async for line in stdout:
                    if line.decode().strip() == word:
                        return
        except TimeoutError:
            raise RuntimeError(f"no {word!r} within {seconds:.0f} s:\n{self.tails()}") from None
        raise RuntimeError(f"it ended before it said {word!r}:\n{self.tails()}")

    async def outlive(self, work: Coroutine[Any, Any, None]) -> None:
        """Return when some work is done.

        Raises:
            RuntimeError: A process has ended before; quotes all logs.
        """
        done = asyncio.ensure_future(work)
        ends = [asyncio.ensure_future(process.wait()) for _, process in self._running.values()]
        try:
            await asyncio.wait({done, *ends}, return_when=asyncio.FIRST_COMPLETED)
            if not done.done():
                raise RuntimeError(f"a process of it has ended:\n{self.tails()}")
            done.result()
        finally:
            for one in (done, *ends):
                one.cancel()

    async def stop(self) -> None:
        """End all, the leading one first."""
        for _, process in reversed(self._running.values()):
            if process.stdin is not None:
                process.stdin.close()
            if process.returncode is None and process.stdin is None:
                process.terminate()
            try:
                async with asyncio.timeout(STOP_SECONDS):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()

    def usage(self) -> dict[str, Usage]:
        """Return what each part has used, all processes and their children together."""
        parts: dict[str, list[Usage]] = {}
        for part, process in self._running.values():
            if process.returncode is not None:
                raise RuntimeError(f"a process of it has ended:\n{self.tails()}")
            found = [used for pid in tree(process.pid) if (used := _usage(pid))]
            parts.setdefault(part, []).extend(found)
        return {part: total(found) for part, found in parts.items()}

    def tails(self) -> str:
        """Return the end of each log."""
        found = []
        for name in self._running:
            data = (self._logs / f"{name}.log").read_bytes()[-_TAIL_BYTES:]
            found.append(f"-- {name}\n{data.decode(errors='replace')}")
        return "\n".join(found)

    @property
    def _leading(self) -> Process:
        return self._running[self._programs[-1].name][1]

    async def _start(self, program: Program, *, leads: bool) -> Process:
        with (self._logs / f"{program.name}.log").open("ab") as log:
            return await asyncio.create_subprocess_exec(
                *program.argv,
                stdin=PIPE if leads else asyncio.subprocess.DEVNULL,
                stdout=PIPE if leads else log,
                stderr=log,
                cwd=find_project().root,
                env={"PATH": os.environ["PATH"], "HOME": str(self._logs), **program.env},
                preexec_fn=die_with_parent(os.getpid()),
            )


def tree(pid: int) -> list[int]:
    """Return a process and all its descendants that live."""
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):
                # The name, in brackets, may hold spaces.
                parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
                children.setdefault(parent, []).append(int(folder.name))
    found = [pid]
    for one in found:
        found.extend(children.get(one, []))
    return found


def total(parts: Iterable[Usage]) -> Usage:
    """Add up; memory that processes share is counted for each of them."""
    found = list(parts)
    return Usage(sum(one.cpu_s for one in found), sum(one.peak_rss_mb for one in found))


def _usage(pid: int) -> Usage | None:
    try:
        return usage(pid)
    except (OSError, RuntimeError):  # a child that has just ended
        return None
