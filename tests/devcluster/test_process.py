"""Processes: their logs, their end, and the end of their parent."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from hydracore_devcluster.process import ManagedProcess
from tests.devcluster.fakes import program


def gone(pid: int, seconds: float = 5.0) -> bool:
    """Return whether the process ends within the time (a zombie counts as ended)."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state == "Z":
            return True
        time.sleep(0.02)
    return False


def wait_for(text: str, process: ManagedProcess) -> None:
    deadline = time.monotonic() + 5
    while text not in process.output():
        assert time.monotonic() < deadline, process.output()
        time.sleep(0.01)


async def test_a_process_that_obeys_ends_by_itself(tmp_path: Path) -> None:
    script = "trap 'echo bye; exit 7' TERM; echo hello; while :; do sleep 0.02; done"
    process = ManagedProcess("it", [program(tmp_path / "it", script)], tmp_path / "it.log")
    process.start()
    wait_for("hello", process)
    assert process.alive
    await process.stop(5)
    assert process.exit_status == 7
    assert process.pid is None
    assert process.tail() == "  it: hello\n  it: bye"


async def test_a_process_that_does_not_is_killed(tmp_path: Path) -> None:
    script = "trap '' TERM; echo hello; while :; do sleep 0.02; done"
    process = ManagedProcess("it", [program(tmp_path / "it", script)], tmp_path / "it.log")
    process.start()
    wait_for("hello", process)
    await process.stop(0.1)
    assert process.exit_status == -9
    await process.stop(0.1)


async def test_output_is_that_of_the_last_run(tmp_path: Path) -> None:
    process = ManagedProcess("it", [program(tmp_path / "it", "echo $$")], tmp_path / "it.log")
    seen = []
    for _ in range(2):
        process.start()
        wait_for("\n", process)
        seen.append(process.output())
        await process.stop(0)
    assert seen[0] != seen[1]
    assert process.log.read_text() == "".join(seen)


def test_the_environment_of_the_parent_is_not_handed_on(tmp_path: Path) -> None:
    process = ManagedProcess("it", [program(tmp_path / "it", "env")], tmp_path / "it.log")
    os.environ["HYDRACORE_TEST_SECRET"] = "x"
    try:
        process.start()
        wait_for("PATH=", process)
    finally:
        del os.environ["HYDRACORE_TEST_SECRET"]
    assert "HYDRACORE_TEST_SECRET" not in process.output()


def test_a_child_dies_with_its_parent(tmp_path: Path) -> None:
    sleeper = program(tmp_path / "sleeper", "exec sleep 600")
    code = (
        "import time\n"
        "from pathlib import Path\n"
        "from hydracore_devcluster.process import ManagedProcess\n"
        f"process = ManagedProcess('it', [{str(sleeper)!r}], Path({str(tmp_path)!r}) / 'it.log')\n"
        "process.start()\n"
        "print(process.pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert not gone(child, 0.05)
        parent.kill()
        parent.wait(5)
        assert gone(child)
