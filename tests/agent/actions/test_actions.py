"""Each action by its call: carried out once, refused where it must not be, remembered."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from hydracore_agent.actions.runner import Outcome
from hydracore_agent.health.result import DEGRADED, CheckResult
from tests.agent.support.surface import Bench
from tests.agent.support.world import OLD, TASK

CONFIG = {"agentName": "Eve", "userDisplayName": "Grace"}


@pytest_asyncio.fixture
async def bench(world) -> AsyncIterator[Bench]:
    made = Bench(world)
    yield made
    await made.actions.close()
    await made.runner.close()


def body(bench: Bench, **changes: Any) -> dict[str, Any]:
    not_after = int(bench.world.clock().timestamp()) + 60
    return {"actionId": str(uuid.uuid4()), "epoch": 1, "notAfter": not_after, **changes}


async def final(bench: Bench, action_id: str) -> dict[str, Any]:
    async with asyncio.timeout(5):
        while True:
            answer = await bench.call("GET", f"/api/actions/{action_id}")
            if answer.json()["final"]:
                bench.proof(answer)
                return dict(answer.json())
            await asyncio.sleep(0.01)


async def until_left(bench: Bench) -> None:
    async with asyncio.timeout(5):
        await bench.has_left.wait()


def ledger(bench: Bench, action_id: str) -> list[str]:
    lines = bench.world.layout.actions_ledger.read_text().splitlines()
    return [one["event"] for one in map(json.loads, lines) if one["actionId"] == action_id]


async def test_a_power_cycle_is_kept_before_the_process_leaves(bench) -> None:
    wanted = body(bench)
    answer = await bench.call("POST", "/api/actions/power-cycle", wanted)
    assert (answer.status_code, answer.json()["state"]) == (202, "accepted")
    bench.proof(answer)
    await until_left(bench)
    stored = json.loads(bench.world.layout.actions.read_text())["actions"][0]
    assert (stored["state"], bench.left) == ("restarting", 1)

    bench.world.clock.advance(2.25)
    bench.next_actions().recover()
    stored = json.loads(bench.world.layout.actions.read_text())["actions"][0]
    assert stored["state"] == "succeeded"
    assert stored["detail"]["backAfterMs"] == "2250"
    assert ledger(bench, wanted["actionId"]) == ["accepted", "restarting", "succeeded"]


async def test_what_came_before_is_answered_and_not_repeated(bench) -> None:
    wanted = body(bench)
    calls = [bench.call("POST", "/api/actions/power-cycle", wanted) for _ in range(5)]
    statuses = sorted(answer.status_code for answer in await asyncio.gather(*calls))
    await until_left(bench)
    assert statuses == [200, 200, 200, 200, 202]
    assert bench.left == 1
    assert ledger(bench, wanted["actionId"]) == ["accepted", "restarting"]


async def test_diagnostics_are_a_deep_report_of_now(bench) -> None:
    bench.check = CheckResult(DEGRADED, "rusty")
    wanted = body(bench)
    await bench.call("POST", "/api/actions/run-diagnostics", wanted)
    report = await final(bench, wanted["actionId"])
    assert report["diagnostics"]["subsystems"]["part"]["message"] == "rusty"
    assert report["message"] == "1 subsystems examined: degraded (part)"


async def test_circuit_breakers_are_cleared_and_say_what_they_were(bench) -> None:
    for _ in range(3):
        bench.breakers.of("two").failed("status 500")
    assert bench.breakers.states() == {"one": "closed", "two": "open"}
    wanted = body(bench)
    await bench.call("POST", "/api/actions/clear-circuit-breakers", wanted)
    report = await final(bench, wanted["actionId"])
    assert report["message"] == "cleared two"
    assert report["detail"] == {"before.one": "closed", "before.two": "open"}
    assert bench.breakers.states() == {"one": "closed", "two": "closed"}


async def test_updates_are_applied_while_it_runs_and_last(bench) -> None:
    wanted = body(bench, config=CONFIG)
    await bench.call("POST", "/api/updates/apply", wanted)
    report = await final(bench, wanted["actionId"])
    assert (report["message"], report["detail"]) == ("applied agentName", {"applied": "agentName"})
    said = await bench.call("POST", "/api/chat", {"message": "hello"})
    words = [json.loads(line[6:]) for line in said.text.splitlines() if line.startswith("data: ")]
    assert "I am Eve." in "".join(word.get("text", "") for word in words)
    assert json.loads(bench.world.layout.config.read_text())["agentName"] == "Eve"
    assert bench.left == 0


@pytest.mark.parametrize(
    ("force", "message"), [(False, "everything was current already"), (True, "applied agentName,")]
)
async def test_what_is_current_is_applied_only_by_force(bench, force, message) -> None:
    current = {"agentName": "Ada", "userDisplayName": "Grace"}
    wanted = body(bench, config=current, force=force)
    await bench.call("POST", "/api/updates/apply", wanted)
    assert (await final(bench, wanted["actionId"]))["message"].startswith(message)
    assert bench.world.layout.config.exists() is force


async def test_updates_with_a_restart_have_succeeded_when_the_next_process_serves(bench) -> None:
    wanted = body(bench, config=CONFIG, restartAgent=True)
    await bench.call("POST", "/api/updates/apply", wanted)
    await until_left(bench)
    successor = bench.next_actions()
    successor.recover()
    record = successor.show(wanted["actionId"])
    assert record is not None
    assert (record.state, record.message) == ("succeeded", "applied agentName")


async def test_nothing_leaves_in_a_trial_or_in_the_middle_of_a_push(bench) -> None:
    bench.world.remember(bench.world.task(state="trial", sha256=OLD))
    restart = body(bench, config=CONFIG, restartAgent=True)
    for path, wanted in [
        ("/api/actions/power-cycle", body(bench)),
        ("/api/updates/apply", restart),
    ]:
        answer = await bench.call("POST", path, wanted)
        assert (answer.status_code, answer.json()["code"]) == (409, "busy")
        assert (await bench.call("GET", f"/api/actions/{wanted['actionId']}")).status_code == 404
    wanted = body(bench)
    await bench.call("POST", "/api/actions/run-diagnostics", wanted)
    assert (await final(bench, wanted["actionId"]))["state"] == "succeeded"
    assert bench.left == 0


async def test_a_push_under_way_is_not_interrupted(bench) -> None:
    bench.world.remember(bench.world.task(state="downloading"))
    answer = await bench.call("POST", "/api/actions/power-cycle", body(bench))
    assert (answer.status_code, bench.left) == (409, 0)
    assert TASK in answer.json()["message"]


async def test_old_leaders_late_requests_and_strange_names_are_refused(bench) -> None:
    await bench.call("POST", f"/api/actions/{uuid.uuid4()}/settle", {"epoch": 7})
    now = int(bench.world.clock().timestamp())
    for name, changes, status, code in [
        ("power-cycle", {"epoch": 6}, 409, "stale_epoch"),
        ("power-cycle", {"epoch": 7, "notAfter": now}, 410, "expired"),
        ("reboot", {"epoch": 7}, 404, "unknown_action"),
        ("power-cycle", {"epoch": 7, "actionId": "1"}, 400, "invalid_request"),
    ]:
        answer = await bench.call("POST", f"/api/actions/{name}", body(bench, **changes))
        assert (answer.status_code, answer.json()["code"]) == (status, code)
        bench.proof(answer)
    assert bench.left == 0


async def test_what_was_asked_about_before_it_came_never_runs(bench) -> None:
    wanted = body(bench)
    path = f"/api/actions/{wanted['actionId']}"
    settled = await bench.call("POST", f"{path}/settle", {"epoch": 1})
    assert (settled.json()["state"], settled.json()["final"]) == ("abandoned", True)
    late = await bench.call("POST", "/api/actions/power-cycle", wanted)
    assert (late.status_code, late.json()["state"]) == (200, "abandoned")
    assert bench.left == 0


async def test_one_at_a_time_and_a_kill_leaves_it_interrupted(bench) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slow(_request) -> Outcome:
        begun.set()
        await go_on.wait()
        return Outcome("done")

    bench.actions._deeds = {**bench.actions._deeds, "run-diagnostics": slow}
    wanted = body(bench)
    await bench.call("POST", "/api/actions/run-diagnostics", wanted)
    await begun.wait()
    other = await bench.call("POST", "/api/actions/clear-circuit-breakers", body(bench))
    assert (other.status_code, other.json()["code"]) == (409, "busy")

    successor = bench.next_actions()
    successor.recover()
    record = successor.show(wanted["actionId"])
    assert record is not None
    assert record.state == "interrupted"


async def test_a_failure_is_told_without_its_inside(bench) -> None:
    async def broken(_request) -> Outcome:
        raise RuntimeError("secret-canary")

    bench.actions._deeds = {**bench.actions._deeds, "run-diagnostics": broken}
    wanted = body(bench)
    await bench.call("POST", "/api/actions/run-diagnostics", wanted)
    report = await final(bench, wanted["actionId"])
    assert report["state"] == "failed"
    assert "RuntimeError" in report["message"]
    assert "secret-canary" not in json.dumps(report)


async def test_what_cannot_be_remembered_is_not_done(bench, monkeypatch) -> None:
    def full(*_args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("hydracore_agent.actions.memory.write_json", full)
    wanted = body(bench)
    answer = await bench.call("POST", "/api/actions/power-cycle", wanted)
    assert (answer.status_code, answer.json()["code"]) == (503, "storage_unavailable")
    assert bench.left == 0
    assert (await bench.call("GET", f"/api/actions/{wanted['actionId']}")).status_code == 404
