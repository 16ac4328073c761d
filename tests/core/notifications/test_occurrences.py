"""What there is to tell, and that each thing is told as one."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from hydracore_core.notifications.occurrences import (
    Occurrence,
    greeting_id,
    message_id,
    occurrences,
)
from hydracore_crds import ObjectMeta, Rollout, UpdatePolicy
from hydracore_crds.rollout import RollbackStatus, WaveStatus
from hydracore_crds.webhook import Webhook
from tests.core.rollouts.builders import NOW, rollout

LATER = NOW + timedelta(hours=1)
HALTED = {"state": "paused", "halted_at": NOW, "halt_reason": "Halted: 1 of 2 failed."}


def made(**status: Any) -> Rollout:
    return rollout(status=status)


def events(**status: Any) -> list[str]:
    return [found.event for found in occurrences(made(**status))]


def ids(**status: Any) -> list[str]:
    found = made(**status)
    return [message_id(found.metadata.uid, one) for one in occurrences(found)]


def waiting(token: str) -> list[WaveStatus]:
    return [WaveStatus(planned=1, state="awaiting_approval", approval=token)]


def back(**more: Any) -> RollbackStatus:
    return RollbackStatus(started_at=NOW, reason="1 of 2 failed", **more)


@pytest.mark.parametrize("state", [None, "queued", "in_progress", "paused"])
def test_of_a_rollout_that_goes_its_way_there_is_nothing_to_tell(state: str | None) -> None:
    assert events(state=state) == []


@pytest.mark.parametrize("state", ["succeeded", "failed", "cancelled"])
def test_its_end_is_told_with_its_time(state: Any) -> None:
    found = occurrences(made(state=state, completed_at=NOW))
    assert [(one.event, one.since) for one in found] == [(state, NOW)]


def test_a_halt_is_told_with_its_time() -> None:
    assert occurrences(made(**HALTED)) == (Occurrence("halted", "2026-03-01T12:00:00.000Z", NOW),)


def test_a_pause_by_a_person_is_no_halt() -> None:
    assert events(state="paused", message="paused by ada") == []


def test_the_end_of_a_halted_rollout_is_an_end_only() -> None:
    assert events(**{**HALTED, "state": "cancelled"}, completed_at=LATER) == ["cancelled"]


def test_reports_of_the_same_halt_are_one() -> None:
    longer = {**HALTED, "halt_reason": "Halted: 2 of 3 failed.", "message": "1 in flight"}
    assert ids(**HALTED) == ids(**longer)


def test_a_second_halt_is_another() -> None:
    assert ids(**HALTED) != ids(**{**HALTED, "halted_at": LATER})


def test_an_approval_that_is_waited_for_is_told_once_for_each_wave_and_plan() -> None:
    first = ids(state="in_progress", waves=waiting("1@abc"))
    assert events(state="in_progress", waves=waiting("1@abc")) == ["awaiting_approval"]
    assert first == ids(state="in_progress", waves=waiting("1@abc"), message="other")
    assert first != ids(state="in_progress", waves=waiting("2@abc"))
    assert first != ids(state="in_progress", waves=waiting("1@abd"))


def test_nobody_is_asked_to_approve_what_is_over() -> None:
    assert events(state="cancelled", completed_at=NOW, waves=waiting("1@abc")) == ["cancelled"]


def test_a_rollback_is_told_when_it_begins_and_its_end_as_the_rollouts() -> None:
    assert events(state="in_progress", rollback=back()) == ["rolling_back"]
    over = back(completed_at=LATER)
    assert events(state="failed", rollback=over, completed_at=LATER) == ["rolling_back", "failed"]
    begun = ids(state="in_progress", rollback=back())
    assert begun == ids(state="failed", rollback=over, completed_at=LATER)[:1]


def test_a_rollout_that_ends_again_after_a_retry_is_told_again() -> None:
    first = ids(state="failed", completed_at=NOW)
    assert first != ids(state="failed", completed_at=LATER)
    assert first != ids(state="succeeded", completed_at=NOW)


def test_ids_do_not_collide_between_rollouts() -> None:
    (one,) = occurrences(made(**HALTED))
    assert message_id("uid-1", one) != message_id("uid-2", one)
    assert message_id("uid-1", one).startswith("msg_")
    assert len(message_id("uid-1", one)) == 36


def test_another_address_is_greeted_anew() -> None:
    policy = UpdatePolicy(metadata=ObjectMeta(uid="p"))
    here = Webhook(name="pager", url="https://a.example/")
    there = Webhook(name="pager", url="https://b.example/")
    assert greeting_id(policy, here) == greeting_id(policy, here.model_copy())
    assert greeting_id(policy, here) != greeting_id(policy, there)


def test_a_webhook_wants_what_it_names_and_everything_where_it_names_nothing() -> None:
    all_ = Webhook(name="pager", url="https://a.example/")
    some = all_.model_copy(update={"events": ["halted"]})
    assert all_.wants("succeeded")
    assert some.wants("halted")
    assert not some.wants("succeeded")
