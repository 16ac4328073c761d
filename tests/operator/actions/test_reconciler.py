"""Actions on a real API server: carried out once, refused, waited for, settled."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hydracore_agentclient import DeepHealth, NoConnection, Refused, Timeout, Unreachable
from hydracore_core.actions.model import RUN_WITHIN, SETTLE_FOR, START_WITHIN
from hydracore_crds import Instance, InstanceAction
from hydracore_history import HistoryUnavailable
from hydracore_operator.providers.errors import TransientError, UnknownOutcomeError
from tests.operator.actions.stand import Stand, reason

pytestmark = pytest.mark.cluster

SEND = "power-cycle"


def report() -> DeepHealth:
    return DeepHealth.model_validate(
        {
            "status": "degraded",
            "checkedAt": "2026-01-01T00:00:00Z",
            "uptimeSeconds": 3.7,
            "subsystems": {
                f"s{n}": {"status": "healthy", "message": "m" * 2000, "latencyMs": 0.0426}
                for n in range(40)
            },
        }
    )


async def test_an_action_is_sent_once_with_its_fence_and_told(stand: Stand) -> None:
    made = await stand.action(SEND)
    done = await stand.ended()
    assert (done.status.state, reason(done), done.status.message) == (
        "succeeded",
        "Completed",
        "done",
    )
    assert done.status.detail == {"pidBefore": "1"}
    assert done.status.observed_generation == made.metadata.generation
    ada = await stand.admin.get(Instance, "ada", stand.namespace)
    assert done.status.instance_id == ada.metadata.uid
    (command,) = stand.agent.commands
    assert (command.action, command.action_id) == (SEND, made.metadata.uid)
    assert command.epoch == stand.epoch
    assert command.not_after == done.status.deadline
    assert stand.agent.ran == {made.metadata.uid: 1}
    # Reconciled again, also by the next leader, nothing is written or sent any more.
    stand.restart()
    assert (await stand.once()).metadata.resource_version == done.metadata.resource_version
    assert stand.agent.ran == {made.metadata.uid: 1}


async def test_it_is_running_in_the_cluster_before_it_goes_out(stand: Stand) -> None:
    seen: list[str | None] = []
    send = stand.agent.run_action

    async def watched(ep: Any, command: Any) -> Any:
        seen.append((await stand.get()).status.state)
        return await send(ep, command)

    stand.agent.run_action = watched  # type: ignore[method-assign]
    await stand.action(SEND)
    await stand.ended()
    assert seen == ["running"]


async def test_updates_carry_the_configuration_that_the_instance_has_now(stand: Stand) -> None:
    place = (Instance, "ada", stand.namespace)
    await stand.admin.patch(*place, {"spec": {"agentName": "Eve", "customerId": "c-1"}})
    await stand.action("apply-updates", parameters={"force": True})
    await stand.ended()
    (command,) = stand.agent.commands
    assert command.config is not None
    assert (command.config.agent_name, command.config.customer_id) == ("Eve", "c-1")
    assert (command.force, command.restart_agent) == (True, False)


async def test_diagnostics_are_cut_to_the_schema(stand: Stand) -> None:
    stand.agent.diagnostics = report()
    await stand.action("run-diagnostics")
    done = await stand.ended()
    found = done.status.diagnostics
    assert found is not None
    assert (found.status, found.uptime_seconds, len(found.subsystems)) == ("degraded", 3, 32)
    one = found.subsystems["s0"]
    assert (len(one.message), one.latency_us) == (1024, 43)
    # The whole of it is the cached deep health from now on.
    row = await stand.ctx.history.health.get(done.status.instance_id or "")
    assert row is not None
    assert row.deep_health == stand.agent.diagnostics.to_wire()
    assert row.failures == 0


async def test_a_reboot_is_the_provider_s_and_over_when_the_agent_is_back(stand: Stand) -> None:
    made = await stand.action("reboot")
    running = await stand.once()
    assert (running.status.state, stand.agent.ran) == ("running", {})
    assert list(stand.provider.reboots) == [made.metadata.uid]
    assert (await stand.once()).status.state == "running"  # the agent is the old one still
    stand.agent.started_at = datetime.now(UTC) + timedelta(seconds=1)
    done = await stand.ended()
    assert done.status.state == "succeeded"
    assert done.status.detail is not None
    assert done.status.detail["agentPid"] == "7"
    assert stand.provider.count("reboot") == 1


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (Refused("busy", "a push is under way", status=409), "RefusedByAgent"),
        (Refused("unknown_action", "no such action", status=404), "RefusedByAgent"),
        (NoConnection("no connection"), "Unreachable"),
    ],
)
async def test_what_certainly_was_not_begun_has_failed(
    stand: Stand, error: Any, expected: str
) -> None:
    stand.agent.on_send = [error]
    await stand.action(SEND)
    done = await stand.ended()
    assert (done.status.state, reason(done)) == ("failed", expected)
    assert error.message in (done.status.message or "")
    assert not stand.agent.ran


@pytest.mark.parametrize("lost", [True, False])
async def test_an_answer_that_is_lost_is_asked_for(stand: Stand, *, lost: bool) -> None:
    stand.agent.lost = lost
    stand.agent.on_send = [Timeout("no answer")]
    made = await stand.action(SEND)
    assert (await stand.once()).status.state == "running"
    done = await stand.ended()
    expected = ("succeeded", "Completed") if lost else ("failed", "NotCarriedOut")
    assert (done.status.state, reason(done)) == expected
    assert stand.agent.ran == ({made.metadata.uid: 1} if lost else {})


async def test_silence_becomes_uncertain_and_may_be_settled_later(stand: Stand) -> None:
    stand.agent.lost = True
    stand.agent.on_send = [Timeout("no answer")]
    stand.agent.on_ask = [Unreachable("gone")] * 3
    made = await stand.action(SEND)
    assert (await stand.once()).status.state == "running"
    assert (await stand.once()).status.state == "running"
    stand.offset = RUN_WITHIN["power-cycle"]
    found = await stand.once()
    assert (found.status.state, reason(found)) == ("uncertain", "OutcomeUnknown")
    assert (await stand.once()).status.state == "uncertain"
    done = await stand.ended()
    assert (done.status.state, stand.agent.ran) == ("succeeded", {made.metadata.uid: 1})


async def test_after_a_while_uncertain_stays(stand: Stand) -> None:
    stand.agent.on_send = [Timeout("no answer")]
    await stand.action(SEND)
    await stand.once()
    stand.agent.on_ask = [Unreachable("gone")] * 2
    stand.offset = RUN_WITHIN["power-cycle"]
    found = await stand.once()
    stand.offset += SETTLE_FOR
    stand.agent.on_ask = []
    last = await stand.once()
    assert last.status.state == "uncertain"
    assert last.metadata.resource_version == found.metadata.resource_version


@pytest.mark.parametrize(
    ("said", "state", "expected"),
    [("failed", "failed", "ActionFailed"), ("interrupted", "uncertain", "NoEvidence")],
)
async def test_what_the_agent_says_counts(
    stand: Stand, said: str, state: str, expected: str
) -> None:
    stand.agent.state = said
    await stand.action(SEND)
    done = await stand.until(lambda a: a.status.state not in {"pending", "running"})
    assert (done.status.state, reason(done)) == (state, expected)
    assert (await stand.once()).metadata.resource_version == done.metadata.resource_version


async def test_a_new_leader_never_sends_what_the_old_one_began(stand: Stand) -> None:
    made = await stand.action(SEND)
    stand.agent.state = "restarting"
    await stand.once()
    stand.restart()
    found = await stand.once()
    assert (found.status.state, reason(found)) == ("uncertain", "Interrupted")
    stand.agent.records[made.metadata.uid] = stand.agent.report(made.metadata.uid, "succeeded")
    done = await stand.ended()
    assert (done.status.state, stand.agent.ran) == ("succeeded", {made.metadata.uid: 1})


async def test_two_operators_one_start(stand: Stand) -> None:
    made = await stand.action(SEND)
    for store in stand.ctx.stores.each():
        store.replace((await stand.admin.list(store.kind))[0])
    first, key = stand.reconciler, f"{stand.namespace}/act"
    old = stand.ctx
    stand.restart()
    for store in stand.ctx.stores.each():
        store.replace((await stand.admin.list(store.kind))[0])
    assert old is not stand.ctx
    results = await asyncio.gather(
        first.reconcile(key), stand.reconciler.reconcile(key), return_exceptions=True
    )
    assert sorted(type(one).__name__ for one in results if isinstance(one, Exception)) == [
        "Conflict"
    ]
    assert sum(stand.agent.ran.values()) <= 1
    assert set(stand.agent.ran) <= {made.metadata.uid}


async def test_what_ran_before_ends_as_already_executed(stand: Stand) -> None:
    first = await stand.action(SEND)
    await stand.ended()
    await stand.admin.delete(InstanceAction, "act", stand.namespace)
    again = await stand.action(SEND)
    done = await stand.ended()
    assert (done.status.state, reason(done)) == ("failed", "AlreadyExecuted")
    assert first.metadata.uid in (done.status.message or "")
    assert again.metadata.uid not in stand.agent.ran
    # Another action under the same name is another piece of work.
    await stand.admin.delete(InstanceAction, "act", stand.namespace)
    await stand.action("run-diagnostics")
    assert (await stand.ended()).status.state == "succeeded"


class Away:
    """History whose database does not answer."""

    class executions:  # noqa: N801 - as the facade has it
        @staticmethod
        async def begin(**_fields: Any) -> None:
            raise HistoryUnavailable("locked")


async def test_without_history_nothing_begins_and_the_wait_ends(stand: Stand) -> None:
    stand.restart(history=Away())
    await stand.action(SEND)
    found = await stand.once()
    assert (found.status.state, reason(found)) == ("pending", "HistoryUnavailable")
    assert (await stand.once()).metadata.resource_version == found.metadata.resource_version
    assert not stand.agent.ran
    stand.offset = START_WITHIN + timedelta(seconds=5)
    done = await stand.ended()
    assert reason(done) == "StartDeadlineExceeded"
    assert "the database cannot say" in (done.status.message or "")


async def test_a_push_goes_first(stand: Stand) -> None:
    await stand.push("in_progress")
    await stand.action(SEND)
    await stand.action("run-diagnostics", "look")
    found = await stand.once()
    assert (found.status.state, reason(found)) == ("pending", "PushInProgress")
    assert (await stand.ended("look")).status.state == "succeeded"
    await stand.push("succeeded")
    assert (await stand.ended()).status.state == "succeeded"


async def test_one_at_a_time_on_one_instance(stand: Stand) -> None:
    stand.agent.state = "restarting"
    await stand.action(SEND)
    await stand.action("run-diagnostics", "look")
    key = stand.namespace
    for store in stand.ctx.stores.each():
        store.replace((await stand.admin.list(store.kind))[0])
    # Both at once, as two workers of the queue would.
    await asyncio.gather(
        stand.reconciler.reconcile(f"{key}/act"), stand.reconciler.reconcile(f"{key}/look")
    )
    states = {name: await stand.get(name) for name in ("act", "look")}
    running = [name for name, one in states.items() if one.status.state == "running"]
    assert len(running) == 1
    (other,) = set(states) - set(running)
    assert reason(states[other]) == "WaitingForAction"
    stand.agent.state = "succeeded"
    uid = states[running[0]].metadata.uid
    stand.agent.records[uid] = stand.agent.report(uid, "succeeded")
    assert (await stand.ended(running[0])).status.state == "succeeded"
    assert (await stand.ended(other)).status.state == "succeeded"


async def test_the_same_twice_is_refused(stand: Stand) -> None:
    await stand.push("in_progress")
    await stand.action(SEND)
    await asyncio.sleep(1.1)  # creation times have whole seconds
    await stand.action(SEND, "twin")
    done = await stand.ended("twin")
    assert (reason(done), "act asked for the same" in (done.status.message or "")) == (
        "DuplicateAction",
        True,
    )


async def test_a_paused_instance_is_left_alone(stand: Stand) -> None:
    place = (Instance, "ada", stand.namespace)
    await stand.admin.patch(*place, {"metadata": {"annotations": {"hydracore.io/paused": "true"}}})
    await stand.action(SEND)
    found = await stand.once()
    assert (found.status.state, reason(found)) == ("pending", "Paused")
    stand.offset = START_WITHIN + timedelta(seconds=5)
    assert reason(await stand.ended()) == "StartDeadlineExceeded"


async def test_the_end_of_the_instance_ends_what_waits_and_what_runs(stand: Stand) -> None:
    await stand.instance("bob")
    await stand.push("in_progress")
    await stand.action(SEND)
    await stand.once()
    await stand.action(SEND, "runs", "bob")
    await stand.once("runs")
    for name in ("ada", "bob"):
        await stand.admin.delete(Instance, name, stand.namespace)
    stand.restart()
    assert reason(await stand.ended()) == "InstanceNotFound"
    found = await stand.once("runs")
    assert (found.status.state, reason(found)) == ("uncertain", "InstanceDeleted")
    await stand.action(SEND, "late", "nobody")
    assert reason(await stand.ended("late")) == "InstanceNotFound"


async def test_a_provider_that_cannot_say_is_asked_again(stand: Stand) -> None:
    stand.provider.fail_next("reboot", TransientError("away"))
    made = await stand.action("reboot")
    assert (await stand.once()).status.state == "running"
    stand.provider.fail_next("forbid_reboot", UnknownOutcomeError("perhaps"))
    assert (await stand.once()).status.state == "running"
    done = await stand.ended()
    assert (done.status.state, reason(done)) == ("failed", "NotCarriedOut")
    assert (stand.provider.reboots, stand.provider.forbidden) == ({}, {made.metadata.uid})


async def test_an_action_that_is_gone_is_forgotten(stand: Stand) -> None:
    await stand.action(SEND)
    stand.agent.state = "restarting"
    await stand.once()
    await stand.admin.delete(InstanceAction, "act", stand.namespace)
    made = stand.ctx.stores.actions.all()[0]
    stand.ctx.stores.actions.remove(made.key, made.metadata.uid)
    assert await stand.reconciler.reconcile(made.key) is None
    assert stand.reconciler._runs.of(made) is None
