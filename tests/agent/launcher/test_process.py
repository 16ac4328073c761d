"""Children: isolated, tied to their parent, waited for without polling."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from hydracore_agent.launcher.process import Child, Command, Waiter
from tests.agent.support.box import until

SAY = """
import json, os, sys
print(json.dumps({"path": sys.path, "argv": sys.argv[1:], "name": __name__, "env": dict(os.environ),
                  "site": "site" in sys.modules}), flush=True)
"""
LINGER = "import threading\nprint('here', flush=True)\nthreading.Event().wait()\n"


def module(folder: Path, source: str) -> Command:
    (folder / "told.py").write_text(source)
    return Command([str(folder)], "told", ["--dir", "x y"])


@pytest.fixture
def waiter() -> Waiter:
    return Waiter()


def test_runs_a_module_with_its_own_folder_only(tmp_path, waiter, monkeypatch) -> None:
    monkeypatch.setenv("CANARY", "secret")
    monkeypatch.setenv("HYDRACORE_SERVER_ID", "local-1")
    child = Child(module(tmp_path, SAY), tmp_path / "log")
    waiter.wait(child, 20)
    assert child.poll() == 0
    child.close()
    told = json.loads((tmp_path / "log").read_text())
    assert told["path"][-1] == str(tmp_path)
    assert not any("site-packages" in path for path in told["path"])
    assert (told["argv"], told["name"], told["site"]) == (["--dir", "x y"], "__main__", False)
    assert "CANARY" not in told["env"]
    assert told["env"]["HYDRACORE_SERVER_ID"] == "local-1"


def test_the_wait_ends_with_the_child(tmp_path, waiter) -> None:
    child = Child(module(tmp_path, "raise SystemExit(3)"), tmp_path / "log")
    begun = time.monotonic()
    waiter.wait(child, 30)
    assert child.poll() == 3
    assert time.monotonic() - begun < 20
    child.close()


def test_the_wait_ends_with_a_stop(tmp_path, waiter) -> None:
    child = Child(module(tmp_path, LINGER), tmp_path / "log")
    threading.Timer(0.1, waiter.stop).start()
    waiter.wait(child, 30)
    assert waiter.stopping
    assert child.poll() is None
    child.close()
    assert child.poll() == -signal.SIGKILL


def test_a_child_does_not_outlive_its_parent(tmp_path) -> None:
    (tmp_path / "told.py").write_text(LINGER)
    parent = f"""
import threading
from pathlib import Path
from hydracore_agent.launcher.process import Child, Command
child = Child(Command([{str(tmp_path)!r}], "told", []), Path({str(tmp_path / "log")!r}))
print(child.pid, flush=True)
threading.Event().wait()
"""
    with subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        until("the child runs", (tmp_path / "log").read_text)
        process.kill()
    until("the child is gone", lambda: not _runs(pid))


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
