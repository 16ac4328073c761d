"""Locks that end with their process."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from hydracore_cli.stack.locks import LockHeldError, hold, is_held

HOLDER = """
import sys
from pathlib import Path
from hydracore_cli.stack.locks import hold
with hold(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_only_one_holds_a_lock(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    assert not is_held(path)
    with hold(path):
        assert is_held(path)
        with pytest.raises(LockHeldError), hold(path, wait_seconds=0.2):
            pytest.fail("two hold the lock")
    assert not is_held(path)


def test_a_lock_ends_with_a_killed_process(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        assert is_held(path)
        process.send_signal(signal.SIGKILL)
    with hold(path, wait_seconds=5):
        assert is_held(path)


def test_a_lock_in_a_folder_that_is_not_there_is_free(tmp_path: Path) -> None:
    assert not is_held(tmp_path / "absent" / "lock")
    assert not (tmp_path / "absent").exists()
