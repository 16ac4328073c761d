from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from hydracore_core.rollouts.wishes import (
    approved_by,
    cancel_mode,
    cancelled_by,
    paused_by,
    resumed_at,
)
from hydracore_crds.names import (
    APPROVED_BY_ANNOTATION,
    CANCEL_ANNOTATION,
    CANCELLED_BY_ANNOTATION,
    PAUSED_BY_ANNOTATION,
    RESUMED_AT_ANNOTATION,
)
from hydracore_crds.rollout import WaveStatus
from tests.core.rollouts.builders import NOW, rollout


@pytest.mark.parametrize(
    ("spec", "annotation", "mode"),
    [
        (None, None, None),
        ("Graceful", None, "Graceful"),
        (None, "Graceful", "Graceful"),
        ("Graceful", "Force", "Force"),
        ("Force", "Graceful", "Force"),
        (None, "whatever", "Graceful"),
        (None, "", None),
    ],
)
def test_the_stronger_cancel_holds(spec: Any, annotation: str | None, mode: str | None) -> None:
    notes = {} if annotation is None else {CANCEL_ANNOTATION: annotation}
    assert cancel_mode(rollout(cancel=spec, annotations=notes)) == mode


def test_deletion_is_a_graceful_cancel() -> None:
    found = rollout()
    found.metadata.deletion_timestamp = NOW
    assert cancel_mode(found) == "Graceful"
    assert cancelled_by(found) == "its deletion"
    found.metadata.annotations[CANCELLED_BY_ANNOTATION] = "ada"
    assert cancelled_by(found) == "ada"


def test_pause_names_its_author_and_git_comes_first() -> None:
    assert paused_by(rollout()) is None
    assert paused_by(rollout(annotations={PAUSED_BY_ANNOTATION: "ada"})) == "ada"
    both = rollout(paused=True, annotations={PAUSED_BY_ANNOTATION: "ada"})
    assert paused_by(both) == "spec.paused"


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2026-03-02T12:00:00Z", datetime(2026, 3, 2, 12, tzinfo=UTC)),
        ("2026-03-02T14:00:00.500+02:00", datetime(2026, 3, 2, 12, 0, 0, 500000, tzinfo=UTC)),
        ("2026-03-02T12:00:00", None),
        ("yesterday", None),
        ("", None),
    ],
)
def test_resume_needs_a_time_that_can_be_placed(text: str, time: datetime | None) -> None:
    assert resumed_at(rollout(annotations={RESUMED_AT_ANNOTATION: text})) == time


def test_who_approved_is_kept_as_far_as_a_status_holds_it() -> None:
    assert approved_by(rollout()) == "its annotation"
    assert approved_by(rollout(annotations={APPROVED_BY_ANNOTATION: "ada"})) == "ada"
    endless = rollout(annotations={APPROVED_BY_ANNOTATION: "a" * 5000})
    assert WaveStatus(planned=1, approved_by=approved_by(endless)).approved_by == "a" * 253
