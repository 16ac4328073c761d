"""The main job, as `make demo` runs it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from hydracore_devcluster.assets import Assets
from hydracore_devcluster.audit import FOLDER_VARIABLE
from hydracore_operator.providers.local.machine import all_pids
from tests.rights.session import folder as audit_logs

pytestmark = pytest.mark.stack
DEMO_SECONDS = 600


def processes_of(folder: Path) -> list[int]:
    """Return the processes with this folder in their command line."""
    found = []
    for pid in all_pids():
        try:
            argv = Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            continue
        if os.fsencode(folder) in argv:
            found.append(pid)
    return found


def test_the_demo_holds_every_check_and_leaves_nothing(
    assets: Assets, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "hydracore_cli.main", "demo"],
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "TMPDIR": str(tmp_path),
            "KUBEBUILDER_ASSETS": str(assets.kube_apiserver.parent),
            FOLDER_VARIABLE: str(audit_logs(tmp_path_factory)),
        },
        capture_output=True,
        text=True,
        timeout=DEMO_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "checks hold" in done.stdout
    assert "FAIL" not in done.stdout
    assert processes_of(tmp_path) == []
    assert list(tmp_path.glob("hydracore-demo-*")) == []
