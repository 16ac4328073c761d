"""Statuses of actions: bounded, timed, and the same again changes nothing."""

from __future__ import annotations

from datetime import timedelta

import pytest

from hydracore_core.actions.model import Finish, Start, Wait
from hydracore_core.actions.status import Facts, finished, started, waiting
from hydracore_crds.base import find
from tests.core.actions.test_plan import BEFORE, NOW, action, running

DONE = Finish("succeeded", "Completed", "done")


def test_waiting_again_changes_nothing() -> None:
    wait = Wait("Paused", "the Instance is paused", NOW)
    one = action(metadata={"generation": 1})
    one.status = waiting(one, wait, NOW)
    assert (one.status.state, one.status.observed_generation) == ("pending", 1)
    assert waiting(one, wait, NOW + timedelta(hours=1)).to_wire() == one.status.to_wire()


def test_from_start_to_end() -> None:
    one = action()
    one.status = started(one, Start(NOW + timedelta(seconds=60)), NOW)
    assert (one.status.state, one.status.started_at) == ("running", NOW)
    one.status = finished(one, DONE, NOW + timedelta(milliseconds=2345))
    assert (one.status.state, one.status.duration_ms) == ("succeeded", 2345)
    condition = find(one.status.conditions, "Succeeded")
    assert condition is not None
    assert (condition.status, condition.reason) == ("True", "Completed")


@pytest.mark.parametrize(("state", "verdict"), [("failed", "False"), ("uncertain", "Unknown")])
def test_the_condition_says_the_same_as_the_state(state: str, verdict: str) -> None:
    status = finished(running(), Finish(state, "Any", "because"), NOW)  # type: ignore[arg-type]
    condition = find(status.conditions, "Succeeded")
    assert condition is not None
    assert condition.status == verdict


def test_what_never_started_has_no_duration() -> None:
    status = finished(action(), Finish("failed", "InstanceNotFound", "none"), NOW)
    assert (status.duration_ms, status.started_at, status.completed_at) == (None, None, NOW)


def test_who_ran_it_says_when_it_ended_unless_its_clock_is_off() -> None:
    known = BEFORE + timedelta(seconds=2)
    assert finished(running(), DONE, NOW, Facts(finished_at=known)).duration_ms == 2000
    for off in (BEFORE - timedelta(seconds=1), NOW + timedelta(seconds=1)):
        assert finished(running(), DONE, NOW, Facts(finished_at=off)).completed_at == NOW


def test_what_others_say_is_cut_to_the_schema() -> None:
    detail = {f"{n}" * 80: "v" * 5000 for n in range(10, 60)}
    status = finished(
        running(), Finish("failed", "ActionFailed", "m" * 5000), NOW, Facts(detail=detail)
    )
    assert status.detail is not None
    assert len(status.detail) == 32
    assert {len(k) for k in status.detail} == {63}
    assert {len(v) for v in status.detail.values()} == {1024}
    assert len(status.message or "") == 2048
    condition = find(status.conditions, "Succeeded")
    assert condition is not None
    assert len(condition.message) == 2048
