"""Where the clusters of one test run keep their audit logs, for the judgement at its end."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from hydracore_devcluster import audit


def folder(factory: pytest.TempPathFactory) -> Path:
    """Return the run's folder of audit logs; all of its workers have the same."""
    base = factory.getbasetemp()
    # A worker's folder lies in that of the run.
    found = (base.parent if base.name.startswith("popen-") else base) / "audit"
    found.mkdir(exist_ok=True)
    return found


def keep(log: Path, shared: Path) -> None:
    """Copy an audit log that lies elsewhere into the run's folder."""
    if log.exists():
        shutil.copyfile(log, audit.new_log(shared))
