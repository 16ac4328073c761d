"""What puts a bundle into quarantine, what keeps it there, and what brings it out."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from hydracore_core.quarantine import evidence, judge, quarantine_of, warning_of
from hydracore_crds import Bundle, Rollout
from hydracore_crds.names import RELEASE_QUARANTINE_ANNOTATION
from hydracore_crds.rollout import Counts, RollbackStatus
from tests.core.rollouts.builders import NOW, bundle, condition, rollout

EARLIER = NOW - timedelta(minutes=5)


def halted(name: str = "r1", *, at: datetime = EARLIER, cause: str = "WaveFailed") -> Rollout:
    status = {
        "state": "paused",
        "halt_reason": "Halted: a-0 [secret-tenant] failed",
        "halted_at": at,
        "conditions": [condition("Progressing", "False", cause)],
    }
    return rollout(name, admitted=True, status=status)


def took_back(by: str | None = None) -> Rollout:
    back = RollbackStatus(started_at=EARLIER, reason="bad", requested_by=by)
    return rollout(admitted=True, status={"state": "failed", "rollback": back})


def failed(*, only_auto: bool, **counts: int) -> Rollout:
    total = sum(counts.values())
    status = {
        "state": "failed",
        "counts": Counts(total=total, **counts),
        "completed_at": EARLIER,
    }
    return rollout(admitted=True, only_auto=only_auto, status=status)


def after(found: Bundle, *rollouts: Rollout, now: datetime = NOW) -> Bundle:
    """Return the bundle as the operator stores it."""
    verdict = judge(found, rollouts, now).condition
    others = [c for c in found.status.conditions if c.type != "Quarantined"]
    kept = [*others, verdict] if verdict is not None else others
    return found.model_copy(update={"status": found.status.model_copy(update={"conditions": kept})})


def released(found: Bundle, at: datetime | str) -> Bundle:
    text = at if isinstance(at, str) else at.isoformat()
    annotations = {RELEASE_QUARANTINE_ANNOTATION: text}
    metadata = found.metadata.model_copy(update={"annotations": annotations})
    return found.model_copy(update={"metadata": metadata})


def test_who_rolls_it_out_is_warned_with_the_reason() -> None:
    shut = after(bundle(), halted())
    said = warning_of(shut) or ""
    assert said.startswith(f"bundle {shut.metadata.name} is in quarantine (RolloutHalted): 1 roll")
    assert warning_of(bundle()) is None


@pytest.mark.parametrize(
    ("one", "reason", "said"),
    [
        (halted(), "RolloutHalted", "1 rollout halted (WaveFailed)"),
        (halted(cause="UnhealthyWhileBaking"), "RolloutHalted", "UnhealthyWhileBaking"),
        (took_back(), "RolledBack", "1 rollout took itself back"),
        (failed(only_auto=True, failed=1), "RolloutFailed", "1 rollout failed"),
    ],
)
def test_a_rollout_that_went_badly(one: Rollout, reason: str, said: str) -> None:
    found = quarantine_of(after(bundle(), one))
    assert found is not None
    assert (found.reason, found.last_transition_time) == (reason, NOW)
    assert said in found.message
    assert "release-quarantine to a later time" in found.message


@pytest.mark.parametrize(
    "one",
    [
        rollout(admitted=True, status={"state": "succeeded"}),
        rollout(admitted=True, status={"state": "paused"}),
        took_back(by="ada"),
        failed(only_auto=False, failed=1),
        failed(only_auto=True, uncertain=1),
    ],
)
def test_what_says_nothing_against_a_bundle(one: Rollout) -> None:
    assert evidence(one) is None
    assert judge(bundle(), [one], NOW).condition is None


def test_only_the_very_bytes_count() -> None:
    one = halted()
    assert judge(bundle("1.2.0"), [one], NOW).condition is None
    again = bundle("1.1.0")
    again.spec.artifact.sha256 = "f" * 64
    assert judge(again, [one], NOW).condition is None
    assert judge(bundle(), [rollout(status={"halt_reason": "x"})], NOW).condition is None


def test_neither_tenants_nor_rollouts_are_named_but_to_the_operator() -> None:
    found = judge(bundle(), [halted("of-secret-tenant"), halted("other")], NOW)
    assert found.condition is not None
    assert "2 rollouts halted (WaveFailed)" in found.condition.message
    assert "secret" not in found.condition.message
    assert "acme" not in found.condition.message
    assert found.against == ("acme/of-secret-tenant", "acme/other")


def test_it_stays_when_the_rollout_goes_on_succeeds_or_is_gone() -> None:
    shut = after(bundle(), halted())
    fine = rollout(admitted=True, status={"state": "succeeded"})
    for rollouts in ([halted()], [fine], []):
        assert after(shut, *rollouts, now=NOW + timedelta(days=30)) == shut


def test_a_person_releases_it_and_what_was_before_counts_no_more() -> None:
    shut = after(bundle(), halted())
    minute = NOW + timedelta(minutes=1)
    open_ = after(released(shut, minute), halted(), now=minute)
    assert quarantine_of(open_) is None
    assert open_.status.conditions[-1].reason == "Released"
    assert after(open_, halted(), now=minute + timedelta(days=1)) == open_
    bare = open_.model_copy(update={"metadata": bundle().metadata})
    assert quarantine_of(after(bare, halted(), now=minute + timedelta(days=1))) is None


def test_what_comes_after_the_release_counts() -> None:
    minute, hour = NOW + timedelta(minutes=1), NOW + timedelta(hours=1)
    open_ = after(released(after(bundle(), halted()), minute), now=minute)
    shut = quarantine_of(after(open_, halted("r2", at=hour), now=hour))
    assert shut is not None
    assert shut.last_transition_time == hour
    assert "1 rollout halted" in shut.message


def test_a_release_that_comes_together_with_a_newer_halt_releases_nothing() -> None:
    minute, hour = NOW + timedelta(minutes=1), NOW + timedelta(hours=1)
    late = released(after(bundle(), halted()), minute)
    shut = after(late, halted("r2", at=NOW + timedelta(minutes=2)), now=hour)
    assert quarantine_of(shut) is not None
    assert quarantine_of(after(shut, now=hour + timedelta(hours=1))) is not None


@pytest.mark.parametrize("text", ["yes", "2026-03-01T13:00:00", EARLIER.isoformat()])
def test_what_releases_nothing(text: str) -> None:
    shut = after(bundle(), halted())
    assert quarantine_of(after(released(shut, text), now=NOW + timedelta(days=1))) is not None


def test_a_release_that_lies_ahead_counts_from_then_on() -> None:
    hour = NOW + timedelta(hours=1)
    ahead = released(after(bundle(), halted()), hour)
    found = judge(ahead, [halted()], NOW)
    assert found.condition == quarantine_of(ahead)
    assert found.again == hour
    assert quarantine_of(after(ahead, halted(), now=hour)) is None


def test_without_any_trouble_nothing_is_written() -> None:
    assert judge(released(bundle(), EARLIER), [], NOW).condition is None
