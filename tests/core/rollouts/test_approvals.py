from __future__ import annotations

from typing import Any

import pytest

from hydracore_core.rollouts.approvals import judge, question
from hydracore_crds import Rollout
from hydracore_crds.names import APPROVE_ANNOTATION, CANCEL_ANNOTATION
from hydracore_crds.rollout import WaveStatus
from tests.core.rollouts.builders import rollout

ASKED = "1@abc"


def waiting(annotations: dict[str, str] | None = None, **status: Any) -> Rollout:
    """A rollout whose canary went well and waits to be approved."""
    canary = WaveStatus(name="canary", planned=1, state="awaiting_approval", approval=ASKED)
    known = {
        "state": "in_progress",
        "plan_hash": "abc",
        "wave": 1,
        "waves": [canary, WaveStatus(planned=3)],
        **status,
    }
    return rollout(admitted=True, annotations=annotations, status=known)


def gone_on(by: str | None = "grace") -> Rollout:
    """The same rollout after its canary was passed."""
    canary = WaveStatus(planned=1, state="passed", approval=ASKED, approved_by=by)
    rest = WaveStatus(planned=3, state="running")
    return waiting(wave=2, waves=[canary, rest], message="wave 2 of 2: 1 of 4 targets succeeded")


def test_a_rollout_asks_for_the_wave_that_went_well() -> None:
    asked = question(waiting())
    assert asked is not None
    assert (asked.wave, asked.status.name, asked.token) == (1, "canary", ASKED)
    assert question(rollout()) is None
    assert question(gone_on()) is None


def test_what_is_asked_is_written_once() -> None:
    assert judge(waiting(), ASKED).kind == "write"
    assert judge(waiting({APPROVE_ANNOTATION: "1@other"}), ASKED).kind == "write"
    assert judge(waiting({APPROVE_ANNOTATION: ASKED}), ASKED).kind == "known"


def test_an_approval_that_was_honoured_is_known_for_ever() -> None:
    assert judge(gone_on(), ASKED).kind == "known"


def test_a_wave_that_nobody_approved_is_not_approved_afterwards() -> None:
    assert judge(gone_on(by=None), ASKED).kind == "refused"


@pytest.mark.parametrize("wrong", ["2@abc", "1@abd", "abc", "", "1@abc "])
def test_another_wave_or_plan_is_refused_with_what_is_asked(wrong: str) -> None:
    # Not even where the annotation says the same wrong thing.
    for found in (waiting(), waiting({APPROVE_ANNOTATION: wrong})):
        verdict = judge(found, wrong)
        assert verdict.kind == "refused"
        assert "waits for the approval 1@abc (wave 1 of 2 (canary))" in verdict.message


def test_where_nothing_is_asked_the_refusal_says_what_the_rollout_does() -> None:
    verdict = judge(gone_on(), "2@abc")
    assert verdict.kind == "refused"
    assert verdict.message == (
        "The rollout waits for no approval now: wave 2 of 2: 1 of 4 targets succeeded"
    )


def test_what_has_ended_or_is_cancelled_asks_nothing() -> None:
    ended = judge(waiting(state="failed"), ASKED)
    assert (ended.kind, ended.message) == (
        "refused",
        "The rollout has ended (failed): there is nothing to approve",
    )
    cancelled = judge(waiting({CANCEL_ANNOTATION: "Graceful"}), ASKED)
    assert cancelled.kind == "refused"
    assert "being cancelled" in cancelled.message
