"""Where the processes of one test run put what API servers logged, for the judgement at its end."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest

from hydracore_devcluster.layout import StateLayout
from tests.rights.calls import condense


def hand_in(state: StateLayout, factory: pytest.TempPathFactory) -> None:
    """Take the audit log of a control plane that was stopped, or is about to be."""
    condense(state.audit_log, folder(factory), uuid.uuid4().hex)


def folder(factory: pytest.TempPathFactory) -> Path:
    """Return the run's folder; all of its workers have the same."""
    base = factory.getbasetemp()
    # A worker's folder lies in that of the run.
    return (base.parent if base.name.startswith("popen-") else base) / "rights"
