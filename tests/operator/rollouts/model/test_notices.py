"""The model notices: each of these breaks one promise of the code, and the model says so."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from hydracore_operator.rollouts import start, status
from hydracore_operator.rollouts.drive import Drive
from hydracore_operator.rollouts.tenant import Tenant
from tests.operator.rollouts.model.machine import RolloutMachine
from tests.operator.rollouts.model.server import Server

pytestmark = pytest.mark.first

Break = Callable[[pytest.MonkeyPatch], None]
BOUNDED = settings(
    max_examples=200,
    stateful_step_count=60,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
    print_blob=False,
)


def claim_without_waiting(patch: pytest.MonkeyPatch) -> None:
    """An order goes out before its claim is acknowledged."""
    real, under_way = start._claim, set()

    async def hasty(tenant: Tenant, claims: dict[str, Any]) -> dict[str, str]:
        if not claims:
            return await real(tenant, claims)
        task = asyncio.ensure_future(real(tenant, claims))
        under_way.add(task)
        task.add_done_callback(lambda done: done.cancelled() or done.exception())
        return {}

    patch.setattr(start, "_claim", hasty)
    patch.setattr(Tenant, "may_send", lambda *_: True)


def store_no_intent(patch: pytest.MonkeyPatch) -> None:
    """The order goes out while ``in_progress`` is still being stored."""
    real = Drive._begun

    async def hasty(self: Drive, beginning: Any) -> bool:
        storing = asyncio.ensure_future(real(self, beginning))
        storing.add_done_callback(lambda done: done.cancelled() or done.exception())
        target = self._tenant.target(self._target_name)
        instance = self._tenant.instance(target.spec.instance_name) if target else None
        if target is not None:
            intent = beginning._intent
            given = status.started(
                target,
                attempt=intent.attempt,
                task_id=self._task_id,
                deadline=intent.deadline,
                instance=instance,
                now=self._tenant.ctx.now(),
            )
            if given is not None:
                early = target.model_copy(update={"status": given})
                self._tenant.ctx.stores.targets._objects[target.key] = early
        return True

    patch.setattr(Drive, "_begun", hasty)


def forget_the_gates(patch: pytest.MonkeyPatch) -> None:
    """Neither the window nor a pause is looked at again before an order goes out."""
    patch.setattr(Tenant, "gate_open", lambda *_: True)


def overwrite_what_ended(patch: pytest.MonkeyPatch) -> None:
    """Whatever an agent says is stored, also where the target has ended already."""
    patch.setattr(status, "OPEN_STATES", frozenset({"in_progress", "uncertain", "cancelled"}))
    patch.setattr(status, "settled", _settled_anyway)


def _settled_anyway(target: Any, intent: Any, now: Any) -> Any:
    real = status._condition
    changed = {"state": intent.state, "attempt": intent.attempt, "completed_at": now}
    given = target.status.model_copy(update=changed)
    return real(target, given, "False", intent.reason, intent.message, now)


def free_before_the_outcome(patch: pytest.MonkeyPatch) -> None:
    """A slot is given back before how the order ended is stored."""
    real = Drive._finish

    async def finish(self: Drive, target: Any, verdict: Any) -> None:
        self._tenant.free(self._task_id)
        await asyncio.sleep(1)
        await real(self, target, verdict)

    patch.setattr(Drive, "_finish", finish)


def free_while_it_works(patch: pytest.MonkeyPatch) -> None:
    """A slot is given back as soon as the agent has accepted the order."""
    real = Drive._go_on

    async def go_on(self: Drive, target: Any) -> None:
        self._tenant.free(self._task_id)
        await real(self, target)

    patch.setattr(Drive, "_go_on", go_on)


def write_without_comparing(patch: pytest.MonkeyPatch) -> None:
    """The ledger is written whatever another operator has written meanwhile."""

    def replace(self: Server, place: Any, body: dict[str, Any]) -> Any:
        return self._store_raw((place[2], place[3]), body)

    patch.setattr(Server, "_replace_raw", replace)


@pytest.mark.parametrize(
    "break_it",
    [
        claim_without_waiting,
        store_no_intent,
        forget_the_gates,
        overwrite_what_ended,
        free_before_the_outcome,
        free_while_it_works,
        write_without_comparing,
    ],
)
def test_the_model_notices(break_it: Break, monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken(RolloutMachine):
        pass

    break_it(monkeypatch)
    with pytest.raises(AssertionError) as found:
        run_state_machine_as_test(Broken, settings=BOUNDED)
    print(f"{break_it.__name__}: after {Broken.steps} steps: {str(found.value).splitlines()[-1]}")  # noqa: T201
