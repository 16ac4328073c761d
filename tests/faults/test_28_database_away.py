"""The database is locked or away while a rollout goes on; afterwards history is complete."""

from __future__ import annotations

import contextlib
import secrets
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from hydracore_crds import Rollout
from hydracore_crds.base import find
from hydracore_devcluster.assets import Assets
from hydracore_devcluster.layout import ProjectLayout
from hydracore_history import History
from tests.faults.fleet import Fleet
from tests.faults.operators import OperatorProcess
from tests.faults.plane import Plane, running_plane
from tests.faults.simulated import Tenant
from tests.faults.waiting import until
from tests.support.postgres.server import PostgresServer

pytestmark = [pytest.mark.stack, pytest.mark.faults, pytest.mark.fault(28)]
ARCHIVE_SECONDS = 40.0
AGENTS, LIMIT = 6, 2


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
    rollout = await fleet.start(bundle, limit=2)
    await fleet.seen(bundle, "accepted")  # without history nothing new would begin
    with locked(plane.layout.database):
        await operator.kill()
        await plane.start_operator().wait_leading()
        ended = await fleet.in_state(rollout, "succeeded")
        await fleet.check_success(rollout, bundle, limit=2)
        await plane.admin.delete(Rollout, rollout.metadata.name, rollout.metadata.namespace)

        await until(
            lambda: _waits(plane, rollout.metadata.namespace or "", rollout.metadata.name),
            "the deleted rollout to wait for its archive",
            ARCHIVE_SECONDS,
        )
    namespace = rollout.metadata.namespace or ""
    await _archived_once(plane, ended.metadata.uid, namespace, len(fleet.servers))


async def test_a_rollout_goes_on_while_postgres_is_away(
    assets: Assets, project: ProjectLayout, postgres: PostgresServer, tmp_path: Path
) -> None:
    """PostgreSQL stops in mid-rollout and comes back when the Rollout waits to be archived."""
    database = f"faults_{secrets.token_hex(4)}"
    postgres.create_database(database)
    plane_folder, tenant_folder = tmp_path / "plane", tmp_path / "tenant"
    tenant_folder.mkdir()
    url = postgres.url(database)
    async with running_plane(plane_folder, assets, project, url) as plane:
        await plane.one_operator()
        async with Tenant(plane, tenant_folder) as tenant:
            await tenant.prepare(agents=AGENTS, push_seconds=0.5, max_parallel_rollouts=LIMIT)
            made = await tenant.start()
            await tenant.until_accepted(2)
            postgres.stop()
            try:
                await tenant.finished("succeeded")
                await tenant.check_success(LIMIT)
                await plane.admin.delete(Rollout, "roll", tenant.namespace)
                await until(
                    lambda: _waits(plane, tenant.namespace, "roll"),
                    "the deleted rollout to wait for its archive",
                    ARCHIVE_SECONDS,
                    state=plane.describe_operators,
                )
            finally:
                postgres.start()
            await _archived_once(plane, made.metadata.uid, tenant.namespace, AGENTS)
    postgres.drop_database(database)


async def _waits(plane: Plane, namespace: str, name: str) -> bool:
    """Whether a deleted Rollout stays because history cannot be reached, and says so."""
    found = await plane.admin.get(Rollout, name, namespace)
    archived = find(found.status.conditions, "Archived")
    return archived is not None and (archived.status, archived.reason) == (
        "False",
        "HistoryUnavailable",
    )


async def _archived_once(plane: Plane, uid: str, namespace: str, targets: int) -> None:
    """Wait for a Rollout in the archive; assert that all its targets are in it, once."""
    history = History(plane.database_url)
    try:

        async def archived() -> bool:
            return await history.rollouts.get(uid) is not None

        await until(archived, "the archive", ARCHIVE_SECONDS, state=plane.describe_operators)
        found = await history.rollouts.get(uid)
        listed = await history.rollouts.list(namespace, 100, 0, tenant_id=namespace)
    finally:
        await history.close()
    assert found is not None
    assert [t.wire["status"]["state"] for t in found.targets] == ["succeeded"] * targets
    assert len({target.uid for target in found.targets}) == targets
    assert [rollout.uid for rollout in listed].count(uid) == 1
