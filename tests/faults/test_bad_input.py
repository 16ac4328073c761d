"""What operators and people get wrong around the processes: a locked database, bad settings."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from hydracore_crds import Rollout
from hydracore_crds.base import find
from hydracore_history import History
from tests.faults.fleet import Fleet
from tests.faults.operators import OperatorProcess
from tests.faults.plane import Plane
from tests.faults.waiting import until

pytestmark = [pytest.mark.stack, pytest.mark.faults]
COMMAND_SECONDS = 60.0
ARCHIVE_SECONDS = 40.0


@contextlib.contextmanager
def locked(database: Path) -> Iterator[None]:
    """Hold the database's lock against all writers."""
    with contextlib.closing(sqlite3.connect(database, timeout=30, isolation_level=None)) as held:
        held.execute("BEGIN EXCLUSIVE")
        try:
            yield
        finally:
            held.execute("ROLLBACK")


async def test_a_rollout_goes_on_while_the_database_is_locked(
    plane: Plane, operator: OperatorProcess, fleet: Fleet
) -> None:
    """Agents fetch the bundle from the API, operators settle them, and SQL hears of it later.

    The first operator is killed on the way, since its successor has to start on a locked database.
    """
    bundle = await plane.publish_runtime()
    with locked(plane.layout.database):
        rollout = await fleet.start(bundle, limit=2)
        await fleet.seen(bundle, "accepted")
        await operator.kill()
        await plane.start_operator().wait_leading()
        ended = await fleet.in_state(rollout, "succeeded")
        await fleet.check_success(rollout, bundle, limit=2)
        await plane.admin.delete(Rollout, rollout.metadata.name, rollout.metadata.namespace)

        async def waits() -> bool:
            found = await fleet.rollout(rollout)
            archived = find(found.status.conditions, "Archived")
            return archived is not None and archived.status == "False"

        await until(waits, "the deleted rollout to wait for its archive", ARCHIVE_SECONDS)
    async with _history(plane) as history:

        async def archived() -> bool:
            return await history.rollouts.get(ended.metadata.uid) is not None

        await until(archived, "the archive", ARCHIVE_SECONDS)
        found = await history.rollouts.get(ended.metadata.uid)
    assert found is not None
    assert [t.wire["status"]["state"] for t in found.targets] == ["succeeded"] * 3


@contextlib.asynccontextmanager
async def _history(plane: Plane) -> AsyncIterator[History]:
    history = History(plane.database_url)
    try:
        yield history
    finally:
        await history.close()


@pytest.mark.parametrize(
    ("service", "content"),
    [("operator", None), ("operator", "clusters: {"), ("operator", "clusters: []"), ("api", None)],
)
async def test_a_broken_kubeconfig_is_named(
    plane: Plane, tmp_path: Path, service: str, content: str | None
) -> None:
    broken = tmp_path / "kubeconfig.yaml"
    if content is not None:
        broken.write_text(content)
    said = await _refused(plane, service, HYDRACORE_KUBECONFIG=str(broken))
    assert str(broken) in said


@pytest.mark.parametrize(
    ("service", "setting"),
    [("operator", "HYDRACORE_OPERATOR_STATUS_ADDR"), ("api", "HYDRACORE_LISTEN")],
)
async def test_a_taken_port_is_named(plane: Plane, service: str, setting: str) -> None:
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        said = await _refused(plane, service, **{setting: address})
    assert address in said
    assert setting in said


@pytest.mark.parametrize("service", ["operator", "api"])
async def test_a_missing_setting_is_named(plane: Plane, service: str) -> None:
    said = await _refused(plane, service, HYDRACORE_DATABASE_URL=None)
    assert "HYDRACORE_DATABASE_URL" in said


async def _refused(plane: Plane, service: str, **changes: str | None) -> str:
    """Run a service that cannot start; return the one line that it says."""
    own = {"operator": plane.operator_env(0), "api": plane.api_env()}[service]
    if service == "api":
        own["HYDRACORE_LISTEN"] = "127.0.0.1:0"
    env = {name: value for name, value in {**own, **changes}.items() if value is not None}
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "hydracore_cli.main", service],
        env=env,
        capture_output=True,
        text=True,
        timeout=COMMAND_SECONDS,
        check=False,
    )
    assert done.returncode not in {0, None}
    said = done.stdout + done.stderr
    assert "Traceback" not in said
    assert len(said.strip().splitlines()) == 1, said
    return said
