"""From first boot through updates to the stop, with real processes."""

from __future__ import annotations

import os
import socket
import time
from datetime import datetime, timedelta
from pathlib import Path

import httpx
from cryptography.hazmat.primitives import serialization

from hydracore_agent.clock import utc_now
from hydracore_agent.server import GRACE_SECONDS
from hydracore_agentclient.client import AgentClient
from hydracore_agentclient.endpoint import AgentEndpoint
from hydracore_agentclient.keys import ControlPlaneKey
from tests.agent.support.box import until
from tests.agent.support.keys import INSTANCE
from tests.agent.support.plane import TOKEN


def is_alive(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def test_first_boot_to_healthy(make_box, plane) -> None:
    box = make_box(fresh=True)
    box.start()
    status = box.status()
    assert (status["version"], status["healthy"], status["onTrial"]) == ("1.0.0", True, False)
    until("a heartbeat", lambda: plane.heartbeats)
    assert [stage["stage"] for stage in plane.stages] == [
        "booting", "cloud_init", "agent_enrolled", "bundle_installed", "healthy",
    ]  # fmt: skip
    seqs = [stage["seq"] for stage in plane.stages]
    assert seqs == sorted(set(seqs))
    assert plane.heartbeats[0]["versions"]["runtime"]["version"] == "1.0.0"
    for path in (box.folder / "state").iterdir():
        assert path.stat().st_mode & 0o077 == 0, path
    assert TOKEN not in box.logs()
    assert plane.agent_key not in box.logs()


def test_nothing_but_its_own_lib_is_imported(box) -> None:
    pid = box.status()["pid"]
    maps = Path(f"/proc/{pid}/maps").read_text()
    assert "site-packages" not in maps
    assert f"releases/{box.status()['bundleHash']}/lib" in maps


def test_an_order_brings_the_new_version_once(box, releases) -> None:
    claims = box.claims(releases.second)
    assert box.order(claims).status_code == 202
    report = box.settled(claims["jti"])
    assert (report["state"], report["runningHash"]) == ("activated", releases.second.sha256)
    status = box.status()
    assert (status["version"], status["onTrial"]) == ("1.1.0", False)
    assert status["capabilities"]["shout"] is True
    assert status["previousBundleHash"] == releases.first.sha256
    again = box.order(claims)
    assert (again.status_code, again.json()["state"]) == (200, "activated")
    assert len(box.ledger("activated")) == 1
    assert box.status()["pid"] == status["pid"]
    with httpx.stream(
        "POST",
        box.url + "/api/chat",
        json={"message": "shout: it works"},
        headers={"Authorization": f"Bearer {box.signer.token()}"},
    ) as stream:
        assert "WORKS" in stream.read().decode()


def test_whoever_waits_for_an_end_is_let_go_at_the_switch_and_then_told_at_once(
    box, releases
) -> None:
    claims = box.claims(releases.second)
    assert box.order(claims).status_code == 202
    task_id, answers = claims["jti"], []
    while not answers or not answers[-1]["task"]["final"]:
        answers.append(until("an answer", lambda: box.await_end(task_id)))
    noticed = utc_now()
    states = [answer["task"]["state"] for answer in answers]
    assert states[-1] == "activated"
    assert set(states[:-1]) <= {"switching"}, "only at the switch an answer came before the end"
    ended = datetime.fromisoformat(answers[-1]["task"]["finishedAt"])
    assert noticed - ended < timedelta(seconds=1), "far less than the wait"
    at = {line["event"]: datetime.fromisoformat(line["at"]) for line in box.ledger()}
    assert at["trial"] - at["switching"] < timedelta(seconds=GRACE_SECONDS)


def test_only_current_and_previous_are_kept(box, releases) -> None:
    for epoch, built in enumerate((releases.second, releases.first, releases.second), 1):
        claims = box.claims(built, epoch=epoch)
        box.order(claims)
        assert box.settled(claims["jti"])["state"] == "activated"
    names = {path.name for path in (box.folder / "releases").iterdir()}
    assert names == {releases.first.sha256, releases.second.sha256}
    assert list((box.folder / "incoming").iterdir()) == []


def test_a_redeploy_starts_the_same_digest_anew(box, releases) -> None:
    before = box.status()
    claims = box.claims(releases.first, force=True)
    assert box.order(claims).status_code == 202
    assert box.settled(claims["jti"])["state"] == "activated"
    after = box.status()
    assert after["bundleHash"] == before["bundleHash"]
    assert after["pid"] != before["pid"]
    deep = box.ask("/api/health/deep")
    assert deep is not None
    assert deep["subsystems"]["release"]["status"] == "healthy"


def test_without_force_the_running_digest_stays_as_it_is(box, releases) -> None:
    before = box.status()["pid"]
    answer = box.order(box.claims(releases.first))
    assert (answer.status_code, answer.json()["state"]) == (200, "activated")
    assert box.status()["pid"] == before


def test_a_power_cycle_is_a_real_exit_and_comes_back(make_box) -> None:
    box = make_box(tuning={})
    box.start()
    before = box.status()["pid"]
    begun = time.monotonic()
    order = box.action()
    assert box.call("POST", "/api/actions/power-cycle", order).status_code == 202
    until("the old process is gone", lambda: not is_alive(before))
    until("back", box.alive)
    took = time.monotonic() - begun
    assert box.status()["pid"] != before
    assert 2.0 <= took < 8.0, "two seconds of pause and a start"
    report = box.ask(f"/api/actions/{order['actionId']}")
    assert report is not None
    assert (report["state"], report["detail"]["pidBefore"]) == ("succeeded", str(before))
    assert report["detail"]["pidAfter"] == str(box.status()["pid"])
    # Sent again, it is answered and not carried out.
    again = box.call("POST", "/api/actions/power-cycle", order)
    assert (again.status_code, again.json()) == (200, report)
    assert [line["event"] for line in box.actions(order["actionId"])] == [
        "accepted",
        "restarting",
        "succeeded",
    ]


def test_sigterm_stops_everything(box) -> None:
    pid = box.status()["pid"]
    assert box.stop() == 0
    assert not is_alive(pid)
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", box.port))


def test_the_agent_dies_with_its_launcher_and_the_next_one_goes_on(box) -> None:
    before = box.status()
    box.kill_launcher()
    until("the agent is gone", lambda: not is_alive(before["pid"]))
    box.start()
    after = box.status()
    assert after["bundleHash"] == before["bundleHash"]
    assert after["pid"] != before["pid"]


def test_a_crash_is_followed_by_a_start(box) -> None:
    release = box.status()["bundleHash"]
    before = box.kill_agent()
    until("another process", lambda: box.status()["pid"] != before)
    assert box.status()["bundleHash"] == release


def test_a_second_launcher_says_that_it_is_one(box) -> None:
    first = box.launcher
    box.start()
    assert box.launcher is not None
    assert box.launcher.wait(10) == 75
    assert "another launcher already serves" in box.logs()
    box.launcher = first


def test_a_taken_port_is_said(make_box) -> None:
    box = make_box()
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", box.port))
        sock.listen()
        box.start()
        assert box.launcher is not None
        assert box.launcher.wait(10) == 98
    assert f"127.0.0.1 port {box.port} is taken by another program" in box.logs()


def test_a_broken_user_data_is_said(make_box) -> None:
    box = make_box(listen={"host": "127.0.0.1"})
    box.start()
    assert box.launcher is not None
    assert box.launcher.wait(10) == 78
    assert "user-data.listen.port is missing" in box.logs()


def test_a_first_boot_waits_for_a_control_plane_that_is_away(make_box, plane) -> None:
    plane.away = True
    box = make_box(fresh=True)
    box.start()
    until("it was tried", lambda: "first boot" in box.logs())
    plane.away = False
    assert box.status()["version"] == "1.0.0"


async def test_the_control_planes_own_client_understands_the_agent(box, plane, tmp_path) -> None:
    pem = tmp_path / "control.pem"
    pem.write_bytes(
        box.signer.control.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    client = AgentClient(ControlPlaneKey.from_pem(str(pem)), subject="operator", now=utc_now)
    endpoint = AgentEndpoint(url=box.url, instance_id=INSTANCE, public_key=plane.public_key)
    try:
        assert (await client.status(endpoint)).version == "1.0.0"
        assert (await client.deep_health(endpoint)).subsystems["disk"].status == "healthy"
        async with client.chat(endpoint, "hello") as events:
            stream = b"".join([chunk async for chunk in events])
        assert b"event: done" in stream
    finally:
        await client.close()


def test_the_environment_does_not_leak(make_box, monkeypatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("PYTHONPATH", "/nowhere")
    monkeypatch.setenv("SOME_SECRET", "canary")
    box = make_box()
    box.start()
    environment = Path(f"/proc/{box.status()['pid']}/environ").read_bytes()
    assert b"canary" not in environment
    assert b"HTTP_PROXY" not in environment
    assert os.environ["SOME_SECRET"] == "canary"
