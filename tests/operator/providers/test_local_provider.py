"""The local provider with real processes: a stand-in launcher plays the agent's part."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import stat
import sys
import time
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hydracore_operator.providers import Server, ServerRequest, find_labels, server_labels
from hydracore_operator.providers.errors import (
    NameConflictError,
    ServerNotFoundError,
    TooLateError,
)
from hydracore_operator.providers.local import LocalProvider, machine, processes, reboots, record
from hydracore_operator.providers.local.record import ServerRecord

LAUNCHER = """
import json, os, pathlib, socket, subprocess, sys, time
folder = pathlib.Path(sys.argv[sys.argv.index("--dir") + 1])
data = json.loads((folder / "user-data.json").read_text())
# A helper that hides in a session of its own; a stubborn one has no environment either, and
# ignores SIGTERM.
code = "import time; time.sleep(600)"
if data["stubborn"]:
    code = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + code
hidden = subprocess.Popen([sys.executable, "-I", "-S", "-c", code],
    start_new_session=True, env={} if data["stubborn"] else None)
server = socket.create_server((data["listen"]["host"], data["listen"]["port"]))
with (folder / "state" / "starts").open("a") as file:
    file.write(f"{os.getpid()} {hidden.pid}\\n")
server.accept()
"""
INSTANCE_ID = "11111111-2222-4333-8444-555555555555"


def request(
    name: str = "alpha-11111111", instance_id: str = INSTANCE_ID, *, stubborn: bool = False
) -> ServerRequest:
    return ServerRequest(
        name=name,
        labels=server_labels("local", "acme", "alpha", instance_id),
        server_type="small",
        location="here",
        user_data={
            "instanceId": instance_id,
            "bootstrapToken": "hcb_secret",
            "stubborn": stubborn,
        },
    )


async def eventually(check: Callable[[], bool], seconds: float = 15) -> None:
    end = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < end, "it did not happen in time"
        await asyncio.sleep(0.02)


def gone(pid: int) -> bool:
    found = machine.stat_of(pid)
    return found is None or found[0] == "Z"


def starts(root: Path, name: str = "alpha-11111111") -> list[tuple[int, int]]:
    file = root / name / "state" / "starts"
    lines = file.read_text().splitlines() if file.exists() else []
    return [(int(a), int(b)) for a, b in (line.split() for line in lines)]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def environment(pid: int) -> bytes:
    return Path(f"/proc/{pid}/environ").read_bytes()


def machine_pid(root: Path, name: str = "alpha-11111111") -> int:
    found = record.load(root / name)
    assert found is not None
    assert found.machine is not None
    return found.machine[0]


def make(root: Path) -> LocalProvider:
    script = root.parent / "launcher.py"
    script.write_text(LAUNCHER)
    return LocalProvider(
        root,
        now=lambda: datetime(2026, 1, 2, tzinfo=UTC),
        command=(sys.executable, "-I", "-S", str(script)),
    )


@pytest.fixture
async def root(tmp_path: Path) -> AsyncIterator[Path]:
    folder = tmp_path / "servers"
    yield folder
    for _, left in list(record.records(folder)):
        await processes.end_all(left, term_seconds=8, kill_seconds=5)


async def test_create_writes_the_folder_and_runs_the_launcher(root: Path) -> None:
    server = await make(root).create(request())
    await eventually(lambda: len(starts(root)) == 1)
    folder = root / "alpha-11111111"
    data = json.loads((folder / "user-data.json").read_text())
    port = int(server.agent_url.rsplit(":", 1)[1])
    assert server.state == "running"
    assert server.agent_url == f"http://127.0.0.1:{port}"
    assert 20000 <= port < 32000
    assert data["listen"] == {"host": "127.0.0.1", "port": port}
    assert data["bootstrapToken"] == "hcb_secret"
    assert stat.S_IMODE((folder / "user-data.json").stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    written = json.loads((folder / "server.json").read_text())
    assert written["machine"]["pid"] == machine_pid(root)
    assert "hcb_secret" not in (folder / "server.json").read_text()


async def test_create_again_is_the_same_server(root: Path) -> None:
    first, second = await asyncio.gather(make(root).create(request()), make(root).create(request()))
    again = await make(root).create(request())
    assert first == second == again
    await eventually(lambda: len(starts(root)) == 1)
    assert [s.id for s in await make(root).list()] == [first.id]


async def test_a_strangers_name_is_never_touched(root: Path) -> None:
    stranger = root / "alpha-11111111"
    stranger.mkdir(parents=True)
    (stranger / "precious").write_text("mine")
    with pytest.raises(NameConflictError):
        await make(root).create(request())
    assert names(stranger) == ["precious"]
    other = await make(root).create(request(name="beta-99999999"))
    with pytest.raises(NameConflictError):
        await make(root).create(
            request(name="beta-99999999", instance_id="99999999-2222-4333-8444-555555555555")
        )
    assert (await make(root).get(other.id)).labels == other.labels


async def test_the_launcher_comes_back_after_it_ends(root: Path) -> None:
    server = await make(root).create(request())
    await eventually(lambda: len(starts(root)) == 1)
    launcher, hidden = starts(root)[0]
    port = int(server.agent_url.rsplit(":", 1)[1])
    before = time.monotonic()
    socket.create_connection(("127.0.0.1", port), timeout=5).close()
    await eventually(lambda: len(starts(root)) == 2)
    assert time.monotonic() - before >= 2
    assert gone(launcher)
    assert gone(hidden)
    assert machine_pid(root) > 0


async def test_another_provider_object_finds_it_again(root: Path) -> None:
    server = await make(root).create(request())
    await eventually(lambda: len(starts(root)) == 1)
    later = make(root)
    assert await later.get(server.id) == server
    assert await later.find(find_labels("local", INSTANCE_ID)) == server
    assert await later.find(find_labels("other", INSTANCE_ID)) is None
    await later.power_on(server.id)
    assert len(starts(root)) == 1


async def test_a_dead_machine_is_off_takes_all_with_it_and_starts_again(root: Path) -> None:
    provider = make(root)
    server = await provider.create(request())
    await eventually(lambda: len(starts(root)) == 1)
    launcher, hidden = starts(root)[0]
    os.kill(machine_pid(root), signal.SIGKILL)
    await eventually(lambda: gone(launcher))
    assert (await provider.get(server.id)).state == "off"
    again = await provider.power_on(server.id)
    assert again == server
    assert gone(hidden)
    await eventually(lambda: len(starts(root)) == 2)


async def test_a_machine_that_was_never_recorded_is_not_doubled(root: Path) -> None:
    provider = make(root)
    server = await provider.create(request())
    await eventually(lambda: len(starts(root)) == 1)
    first, launcher = machine_pid(root), starts(root)[0][0]
    # The operator died before the machine had written itself down.
    found = record.load(root / server.name)
    assert found is not None
    machine.write_record(root / server.name, found.to_json())
    assert (await provider.get(server.id)).state == "off"
    assert (await make(root).power_on(server.id)).state == "running"
    assert gone(first)
    assert gone(launcher)
    assert machine_pid(root) != first


async def test_power_cycle_is_a_real_restart(root: Path) -> None:
    provider = make(root)
    server = await provider.create(request())
    await eventually(lambda: len(starts(root)) == 1)
    before = machine_pid(root)
    assert await provider.power_cycle(server.id) == server
    await eventually(lambda: len(starts(root)) == 2)
    assert gone(before)
    assert gone(starts(root)[0][0])


def soon() -> datetime:
    return datetime.now(UTC) + timedelta(minutes=1)


async def test_a_reboot_restarts_the_whole_server_once_for_each_request(root: Path) -> None:
    provider = make(root)
    server = await provider.create(request())
    await eventually(lambda: len(starts(root)) == 1)
    before = machine_pid(root)
    assert await provider.reboot_of(server.id, "one") is None
    reboot = await provider.reboot(server.id, request_id="one", not_after=soon())
    assert reboot.booted
    await eventually(lambda: len(starts(root)) == 2)
    assert gone(before)
    assert gone(starts(root)[0][0])
    # Asked again, also by another operator, nothing is done.
    after = machine_pid(root)
    assert await make(root).reboot(server.id, request_id="one", not_after=soon()) == reboot
    assert await make(root).reboot_of(server.id, "one") == reboot
    assert machine_pid(root) == after
    await provider.reboot(server.id, request_id="two", not_after=soon())
    assert machine_pid(root) != after


async def test_a_reboot_that_was_given_up_never_begins(root: Path) -> None:
    provider = make(root)
    server = await provider.create(request())
    before = machine_pid(root)
    assert await provider.forbid_reboot(server.id, "one") is None
    with pytest.raises(TooLateError, match="given up"):
        await make(root).reboot(server.id, request_id="one", not_after=soon())
    assert machine_pid(root) == before
    begun = await provider.reboot(server.id, request_id="two", not_after=soon())
    assert await provider.forbid_reboot(server.id, "two") == begun


async def test_a_reboot_after_its_time_does_nothing(root: Path) -> None:
    provider = make(root)
    server = await provider.create(request())
    before = machine_pid(root)
    with pytest.raises(TooLateError):
        await provider.reboot(
            server.id, request_id="late", not_after=datetime(2020, 1, 1, tzinfo=UTC)
        )
    assert await provider.reboot_of(server.id, "late") is None
    assert machine_pid(root) == before


async def running(root: Path) -> tuple[Server, ServerRecord]:
    """Make a server whose agent has started; return it and what its folder says."""
    server = await make(root).create(request())
    await eventually(lambda: len(starts(root)) == 1)
    found = record.load(root / server.name)
    assert found is not None
    return server, found


async def test_a_reboot_cut_short_is_known_and_ends_with_the_next_power_on(root: Path) -> None:
    provider = make(root)
    server, found = await running(root)
    # The operator died after it had ended the machine; a line before it was cut by a crash.
    (root / server.name / reboots.FILE).write_text('{"requestId": "cut", "at"')
    reboots.note(root / server.name, reboots.Begun("one", datetime.now(UTC), found.machine))
    os.kill(machine_pid(root), signal.SIGKILL)
    await eventually(lambda: gone(found.machine[0]))  # type: ignore[index]
    reboot = await provider.reboot_of(server.id, "one")
    assert reboot is not None
    assert not reboot.booted
    await provider.power_on(server.id)
    reboot = await provider.reboot_of(server.id, "one")
    assert reboot is not None
    assert reboot.booted
    assert await provider.reboot_of(server.id, "cut") is None


async def test_a_reboot_cut_short_at_its_beginning_is_carried_out_by_who_asks(root: Path) -> None:
    server, found = await running(root)
    # The operator died when it had noted the reboot and done nothing of it.
    reboots.note(root / server.name, reboots.Begun("one", datetime.now(UTC), found.machine))
    before = machine_pid(root)
    reboot = await make(root).forbid_reboot(server.id, "one")
    assert reboot is not None
    assert reboot.booted
    assert gone(before)
    after = machine_pid(root)
    assert await make(root).forbid_reboot(server.id, "one") == reboot
    assert await make(root).reboot(server.id, request_id="one", not_after=soon()) == reboot
    assert machine_pid(root) == after


@pytest.mark.parametrize("machine_dies_first", [False, True])
async def test_delete_leaves_no_process_port_or_folder(
    root: Path, *, machine_dies_first: bool
) -> None:
    provider = make(root)
    server = await provider.create(request(stubborn=not machine_dies_first))
    await eventually(lambda: len(starts(root)) == 1)
    pids = [machine_pid(root), *starts(root)[0]]
    if machine_dies_first:
        os.kill(pids[0], signal.SIGKILL)
        await eventually(lambda: gone(pids[1]))
        assert not gone(pids[2])  # an orphan now, known by its environment only
    await provider.delete(server.id)
    assert all(gone(pid) for pid in pids)
    port = int(server.agent_url.rsplit(":", 1)[1])
    with socket.create_server(("127.0.0.1", port)):
        pass
    assert names(root) == [".lock"]
    with pytest.raises(ServerNotFoundError):
        await provider.delete(server.id)
    with pytest.raises(ServerNotFoundError):
        await provider.get(server.id)
    assert await provider.find(find_labels("local", INSTANCE_ID)) is None


async def test_a_machine_whose_folder_is_gone_ends_by_itself(root: Path) -> None:
    await make(root).create(request())
    await eventually(lambda: len(starts(root)) == 1)
    pids = [machine_pid(root), *starts(root)[0]]
    record.remove_folder(root / "alpha-11111111")
    await eventually(lambda: all(gone(pid) for pid in pids))
    assert names(root) == [".lock"]


async def test_leftovers_of_a_crash_are_swept(root: Path) -> None:
    for name in (".new-alpha-11111111-0000", ".gone-beta-0000"):
        (root / name / "state").mkdir(parents=True)
    await make(root).create(request())
    assert names(root) == [".lock", "alpha-11111111"]


async def test_ids_cannot_lead_out_of_the_folder(root: Path) -> None:
    for server_id in ("../x.1", "x", ".new-a.1", "a/b.1", ""):
        with pytest.raises(ServerNotFoundError):
            await make(root).get(server_id)


async def test_servers_see_nothing_of_the_operators_environment(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HYDRACORE_DATABASE_URL", "canary-secret")
    await make(root).create(request())
    await eventually(lambda: len(starts(root)) == 1)
    for pid in (machine_pid(root), starts(root)[0][0]):
        assert b"canary-secret" not in environment(pid)
