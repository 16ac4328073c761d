"""Which finished rollouts may leave the cluster, and which have done something."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from hydracore_core.rollouts.expiry import has_begun, still_needed
from hydracore_crds import Rollout
from tests.core.rollouts.builders import NOW, done, fleet, rollout, target

LATER = NOW + timedelta(days=7)
A, B = fleet(2)


def finished(name: str, hours: float, state: Any = "succeeded", **more: Any) -> Rollout:
    """A rollout made so many hours ago that is finished."""
    return rollout(name, age=timedelta(hours=hours), admitted=True, status={"state": state}, **more)


def test_nothing_needs_a_rollout_that_is_alone() -> None:
    old = finished("old", 3)
    assert still_needed(old, [old], [done(old, A, 0, "succeeded")], now=LATER) is None


def test_evidence_is_sought_for_an_hour_after_the_deadline() -> None:
    old = finished("old", 3, "failed")
    uncertain = done(old, A, 0, "uncertain")
    soon = NOW + timedelta(minutes=60)
    assert "still sought" in (still_needed(old, [old], [uncertain], now=soon) or "")
    assert still_needed(old, [old], [uncertain], now=NOW + timedelta(minutes=80)) is None


@pytest.mark.parametrize("state", ["failed", "uncertain"])
def test_it_keeps_an_older_one_from_being_retried(state: str) -> None:
    old, new = finished("old", 3, "failed"), finished("new", 2, version="1.2.0")
    targets = [done(old, A, 0, state), done(new, A, 0, "succeeded")]
    why = still_needed(new, [old, new], targets, now=LATER)
    assert why == "a retry of the older rollout old would undo it on a-0"
    assert still_needed(old, [old, new], targets, now=LATER) is None


def test_the_newest_of_several_is_enough() -> None:
    old, new = finished("old", 3, "failed"), finished("new", 2, version="1.2.0")
    newest = finished("newest", 1, version="1.3.0")
    targets = [
        done(old, A, 0, "failed"),
        done(new, A, 0, "succeeded"),
        done(newest, A, 0, "succeeded"),
    ]
    assert still_needed(new, [old, new, newest], targets, now=LATER) is None
    gone = newest.model_copy(
        update={"metadata": newest.metadata.model_copy(update={"deletion_timestamp": NOW})}
    )
    assert still_needed(new, [old, new, gone], targets, now=LATER) is not None


@pytest.mark.parametrize(
    "theirs",
    [
        lambda old: done(old, B, 0, "failed"),
        lambda old: done(old, A, 0, "succeeded"),
        lambda old: target(old, A, 0, state="cancelled"),
    ],
)
def test_other_instances_and_what_cannot_be_retried_do_not_matter(theirs: Any) -> None:
    old, new = finished("old", 3, "failed"), finished("new", 2, version="1.2.0")
    targets = [theirs(old), done(new, A, 0, "succeeded")]
    assert still_needed(new, [old, new], targets, now=LATER) is None


def test_it_keeps_an_older_one_that_waits_for_its_admission_from_its_instances() -> None:
    old, new = rollout("old", age=timedelta(hours=3)), finished("new", 2, version="1.2.0")
    why = still_needed(new, [old, new], [done(new, A, 0, "succeeded")], now=LATER)
    assert why == "the older rollout old has not been admitted yet"
    assert still_needed(new, [old, new], [target(new, A, 0, state="cancelled")], now=LATER) is None


@pytest.mark.parametrize(
    ("state", "targets", "begun"),
    [
        ("succeeded", [], True),
        ("failed", [], True),
        ("cancelled", [], False),
        ("cancelled", ["cancelled"], False),
        ("cancelled", ["cancelled", "succeeded"], True),
        ("cancelled", ["uncertain"], True),
    ],
)
def test_what_has_begun(state: str, targets: list[str], begun: bool) -> None:  # noqa: FBT001
    found = finished("r", 1, state)
    assert has_begun(found, [done(found, A, n, s) for n, s in enumerate(targets)]) is begun
