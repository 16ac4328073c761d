"""Contenders' processes, with real ones that do little."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bench.machine import Usage
from bench.peers.processes import Contestant, Program, total, tree

SPEAKS = """
import asyncio
import sys
print("warming up", flush=True)
print("ready", flush=True)
for line in sys.stdin:
    print("done" if line == "go\\n" else "what?", flush=True)
"""
WITH_CHILD = """
import subprocess, sys
child = subprocess.Popen(
    [sys.executable, "-c", "print('up', flush=True); input()"],
    stdin=subprocess.PIPE,
    stdout=subprocess.PIPE,
)
child.stdout.readline()
"""
DIES = "import sys; sys.exit('no broker there')"


def python(name: str, text: str, **more: str) -> Program:
    return Program(name, (sys.executable, "-c", text), **more)  # type: ignore[arg-type]


@asynccontextmanager
async def running(folder: Path, *programs: Program) -> AsyncIterator[Contestant]:
    contestant = Contestant(programs, folder)
    try:
        await contestant.start(10)
        yield contestant
    finally:
        await contestant.stop()


async def test_the_leading_one_says_when_it_is_ready_and_done(tmp_path: Path) -> None:
    async with running(tmp_path, python("loop", SPEAKS)) as contestant:
        contestant.say("go")
        await contestant.hear("done", 10)


async def test_children_count_and_the_broker_counts_apart(tmp_path: Path) -> None:
    broker = python("redis", "import time; time.sleep(60)", part="broker")
    worker = python("worker", WITH_CHILD + SPEAKS)
    async with running(tmp_path, broker, worker) as contestant:
        alone = tree(contestant._leading.pid)
        assert len(alone) == 2
        parts = contestant.usage()
        assert set(parts) == {"workers", "broker"}
        assert parts["workers"].peak_rss_mb > 1.5 * parts["broker"].peak_rss_mb


async def test_who_dies_before_it_is_ready_is_quoted(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="no broker there"):
        async with running(tmp_path, python("dispatch", DIES)):
            pass


async def test_who_dies_while_it_works_is_no_longer_measured(tmp_path: Path) -> None:
    worker = python("worker", DIES)
    async with running(tmp_path, worker, python("leader", SPEAKS)) as contestant:
        await contestant._running["worker"][1].wait()
        with pytest.raises(RuntimeError, match=r"has ended(.|\n)*no broker there"):
            contestant.usage()


async def test_work_ends_early_when_a_process_dies_and_else_in_its_own_time(
    tmp_path: Path,
) -> None:
    async def quick() -> None:
        await asyncio.sleep(0)

    async with running(tmp_path, python("worker", SPEAKS)) as contestant:
        await contestant.outlive(quick())
        contestant._leading.kill()
        with pytest.raises(RuntimeError, match="has ended"):
            await contestant.outlive(asyncio.sleep(60))


async def test_all_are_gone_after_a_stop(tmp_path: Path) -> None:
    async with running(
        tmp_path, python("redis", "import time; time.sleep(60)"), python("loop", SPEAKS)
    ) as contestant:
        processes = [process for _, process in contestant._running.values()]
        assert [process.returncode for process in processes] == [None, None]
    assert None not in [process.returncode for process in processes]


def test_usages_add_up() -> None:
    assert total([Usage(1.0, 10.0), Usage(0.5, 5.0)]) == Usage(1.5, 15.0)
