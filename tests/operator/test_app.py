"""The whole process on the real API server, with recording reconcilers."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from hydracore_crds import Instance
from hydracore_history import History
from hydracore_kube import KubeClient, Where
from hydracore_operator.app import run
from hydracore_operator.context import Context, NotLeader
from hydracore_operator.controller.relist import Relister
from hydracore_operator.settings import OperatorSettings
from hydracore_operator.wiring import Factories
from tests.operator.controller.test_watching import _wire
from tests.operator.fakes import until
from tests.support.postgres.server import PostgresServer

pytestmark = pytest.mark.cluster
LEASE = Where("coordination.k8s.io/v1", "leases", "hydracore-system", "hydracore-operator")


class Recorder:
    """Stands for all reconcilers and for the health loop."""

    def __init__(self) -> None:
        self.ctx: Context | None = None
        self.keys: list[tuple[str, str]] = []
        self.epochs: set[int] = set()
        self.health = False
        self.closed = False

    def factories(self) -> Factories:
        return Factories(
            instances=self._build("instances"),
            actions=self._build("actions"),
            bundles=self._build("bundles"),
            platform=self._build("platform"),
            policies=self._build("policies"),
            tenants=self._build("tenants"),
            archive=self._build("archive"),
            notifications=self._build("notifications"),
            auto=self._build("auto"),
            health=lambda _ctx: self,
        )

    async def run(self) -> None:
        self.health = True
        try:
            await asyncio.Event().wait()
        finally:
            self.health = False

    def _build(self, name: str) -> Callable[[Context], Any]:
        recorder = self

        class One:
            def __init__(self, ctx: Context) -> None:
                recorder.ctx = ctx

            async def reconcile(self, key: str) -> None:
                recorder.keys.append((name, key))
                if recorder.ctx is not None:
                    recorder.epochs.add(recorder.ctx.epoch())

            async def close(self) -> None:
                recorder.closed = True

        return One


@pytest_asyncio.fixture(loop_scope="session")
async def admin(admin_kubeconfig: str) -> AsyncIterator[KubeClient]:
    client = await KubeClient.connect(admin_kubeconfig, field_manager="test")
    yield client
    await client.close()


@pytest_asyncio.fixture(loop_scope="session")
async def settings(tmp_path: Path, operator_kubeconfig: str) -> OperatorSettings:
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "key.pem").write_bytes(pem)
    (tmp_path / "trusted.json").write_text("[]")
    url = f"sqlite+aiosqlite:///{tmp_path}/history.db"
    history = History(url)
    await history.migrate()
    await history.close()
    return OperatorSettings(
        kubeconfig=Path(operator_kubeconfig),
        database_url=url,
        artifacts_url=f"file://{tmp_path}/artifacts",
        control_plane_key_file=tmp_path / "key.pem",
        trusted_bundle_keys_file=tmp_path / "trusted.json",
        agent_api_url="http://127.0.0.1:1",
        lease_seconds=3,
        operator_status_addr="127.0.0.1:0",
    )


@asynccontextmanager
async def _operator(
    settings: OperatorSettings, recorder: Recorder, expect: int = 0
) -> AsyncIterator[asyncio.Event]:
    stop = asyncio.Event()
    task = asyncio.create_task(run(settings, factories=recorder.factories(), stop=stop))
    try:
        yield stop
    finally:
        stop.set()
        async with asyncio.timeout(40):
            status = await task
    assert status == expect


async def test_it_leads_reconciles_and_stops(
    settings: OperatorSettings, admin: KubeClient, namespace: str
) -> None:
    recorder = Recorder()
    before = await admin.create(_wire(Instance, "before", namespace))
    async with _operator(settings, recorder):
        await until(lambda: ("instances", before.key) in recorder.keys)
        assert recorder.health
        lease = await admin.get_raw(LEASE)
        assert lease["spec"]["holderIdentity"] == settings.identity
        assert recorder.epochs == {lease["spec"]["leaseTransitions"]}
        await admin.create(_wire(Instance, "after", namespace))
        await until(lambda: ("instances", f"{namespace}/after") in recorder.keys)
        assert ("tenants", namespace) in recorder.keys
    assert recorder.closed
    assert not recorder.health
    lease = await admin.get_raw(LEASE)
    assert "holderIdentity" not in lease["spec"]
    assert recorder.ctx is not None
    with pytest.raises(NotLeader):
        recorder.ctx.epoch()


async def test_a_standby_watches_only_and_takes_over_with_a_higher_epoch(
    settings: OperatorSettings, admin: KubeClient, namespace: str
) -> None:
    one, two = Recorder(), Recorder()
    second = settings.model_copy(update={"identity": "second"})
    await admin.create(_wire(Instance, "shared", namespace))
    async with _operator(second, two) as _stop:
        await until(lambda: bool(two.keys))
        async with _operator(settings, one):
            await asyncio.sleep(1.0)
            assert (one.keys, one.health, one.ctx) == ([], False, None)
            _stop.set()
            await until(lambda: ("instances", f"{namespace}/shared") in one.keys)
    assert min(one.epochs) == max(two.epochs) + 1


async def test_a_leader_lists_once_and_a_standby_again_when_its_turn_comes(
    settings: OperatorSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    lists: list[Relister] = []
    fresh = Relister.fresh

    async def counted(self: Relister) -> None:
        await fresh(self)
        lists.append(self)

    monkeypatch.setattr(Relister, "fresh", counted)
    one, two = Recorder(), Recorder()
    second = settings.model_copy(update={"identity": "second"})
    async with _operator(settings, one) as stop:
        await until(lambda: one.health)
        assert len(lists) == 1
        async with _operator(second, two):
            await until(lambda: len(lists) == 2)  # while it waits
            assert not two.health
            stop.set()
            await until(lambda: two.health)
    assert lists[1] is lists[2] is not lists[0]


async def test_losing_the_lease_ends_the_process_with_status_1(
    settings: OperatorSettings, admin: KubeClient
) -> None:
    recorder = Recorder()
    task = asyncio.create_task(run(settings, factories=recorder.factories()))
    await until(lambda: recorder.health)
    await admin.patch_raw(LEASE, {"spec": {"holderIdentity": "thief"}})
    async with asyncio.timeout(20):
        assert await task == 1
    assert recorder.closed
    await admin.delete_raw(LEASE)


async def test_it_goes_on_after_an_api_server_restart(
    cluster: Any, settings: OperatorSettings, admin: KubeClient, namespace: str
) -> None:
    recorder = Recorder()
    patient = settings.model_copy(update={"lease_seconds": 30.0})
    async with _operator(patient, recorder):
        await until(lambda: recorder.health)
        await cluster.restart_apiserver()
        await admin.create(_wire(Instance, "later", namespace))
        await until(lambda: ("instances", f"{namespace}/later") in recorder.keys, seconds=60)
        assert len(recorder.epochs) == 1


async def test_sigterm_ends_the_process_at_once_and_quietly(
    settings: OperatorSettings, admin: KubeClient, tmp_path: Path
) -> None:
    environment = {
        "PATH": os.defpath,
        "HYDRACORE_LOCAL_PROVIDER_DIR": str(tmp_path / "servers"),
        **{
            f"HYDRACORE_{name.upper()}": str(value)
            for name, value in settings.model_dump(exclude_none=True).items()
        },
    }
    code = (
        "import asyncio, sys; from hydracore_operator.app import run; "
        "from hydracore_operator.settings import OperatorSettings; "
        "sys.exit(asyncio.run(run(OperatorSettings())))"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, env=environment, stderr=asyncio.subprocess.PIPE
    )
    assert process.stderr is not None
    said = b""
    try:
        async with asyncio.timeout(40):
            while b"leading" not in said:
                said += await process.stderr.readline()
            started = time.monotonic()
            process.terminate()
            said += await process.stderr.read()
            status = await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
    text = said.decode()
    assert status == 0, text
    assert "operator_stopped" in text
    assert "Traceback" not in text, text
    assert "never retrieved" not in text, text
    assert time.monotonic() - started < 15
    assert "holderIdentity" not in (await admin.get_raw(LEASE))["spec"]


async def test_status_is_served(settings: OperatorSettings, free_port: int) -> None:
    address = f"127.0.0.1:{free_port}"
    recorder = Recorder()
    served = settings.model_copy(update={"operator_status_addr": address})
    async with _operator(served, recorder), aiohttp.ClientSession() as session:
        await until(lambda: recorder.health)
        async with session.get(f"http://{address}/healthz") as answer:
            assert answer.status == 200
        async with session.get(f"http://{address}/readyz") as answer:
            assert await answer.json() == {"ready": True}
        async with session.get(f"http://{address}/status") as answer:
            status = json.loads(await answer.text())
    assert status["leading"] is True
    work = {"bundles", "platform", "policies", "instances", "actions", "tenants"}
    assert set(status["queues"]) == work | {"archive", "notifications", "auto"}


@pytest.fixture
def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"kubeconfig": Path("/nowhere/kubeconfig")}, "/nowhere/kubeconfig: there is no such file"),
        ({"control_plane_key_file": Path("/nowhere/key.pem")}, "/nowhere/key.pem"),
        ({"trusted_bundle_keys_file": Path("/nowhere/keys.json")}, "/nowhere/keys.json"),
        ({"artifacts_url": "ftp://x"}, "HYDRACORE_ARTIFACTS_URL"),
        ({"database_url": "nonsense"}, "HYDRACORE_DATABASE_URL"),
        ({"database_url": "sqlite+aiosqlite:////nowhere/x.db"}, "/nowhere/x.db"),
    ],
)
async def test_what_is_missing_is_named(
    settings: OperatorSettings,
    change: dict[str, Any],
    reason: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    broken = settings.model_copy(update=change)
    assert await run(broken, factories=Recorder().factories()) == 1
    assert reason in capsys.readouterr().err


async def test_a_database_that_was_not_migrated_is_refused(
    settings: OperatorSettings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path}/empty.db"
    broken = settings.model_copy(update={"database_url": url})
    assert await run(broken, factories=Recorder().factories()) == 1
    assert "hydracore migrate" in capsys.readouterr().err


async def test_it_leads_while_the_database_server_is_away_and_stops_if_it_is_not_migrated(
    settings: OperatorSettings, postgres: PostgresServer, capsys: pytest.CaptureFixture[str]
) -> None:
    """A restart during an outage must not stop what runs; later a foreign database must."""
    recorder = Recorder()
    away = settings.model_copy(update={"database_url": postgres.url("postgres")})
    postgres.stop()
    try:
        async with asyncio.timeout(60):
            task = asyncio.create_task(run(away, factories=recorder.factories()))
            while not recorder.health:
                assert not task.done(), capsys.readouterr().err
                await asyncio.sleep(0.05)
            postgres.start()
            assert await task == 1
    finally:
        if not postgres.running:
            postgres.start()
    said = capsys.readouterr().err
    assert "history_away_at_start" in said
    assert "hydracore migrate" in said
    assert postgres.password not in said


async def test_a_taken_port_is_named(
    settings: OperatorSettings, free_port: int, capsys: pytest.CaptureFixture[str]
) -> None:
    server = await asyncio.start_server(lambda _r, _w: None, "127.0.0.1", free_port)
    address = f"127.0.0.1:{free_port}"
    taken = settings.model_copy(update={"operator_status_addr": address})
    try:
        assert await run(taken, factories=Recorder().factories()) == 1
    finally:
        server.close()
    assert f"HYDRACORE_OPERATOR_STATUS_ADDR={address}" in capsys.readouterr().err
