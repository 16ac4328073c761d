"""Who did something, as far as an object can tell."""

from __future__ import annotations

from typing import Any

import pytest

from hydracore_core.trail.actors import canceller, creator, pauser, resumer, retrier
from hydracore_crds import Rollout, RolloutTarget
from tests.core.rollouts.builders import fleet, rollout, target

KEY = "api-key laptop (k-1)"
ADA = "kubernetes-user ada"


def entry(manager: str, *paths: str, time: str = "2026-03-01T12:00:00Z") -> dict[str, Any]:
    """One entry of managedFields; paths like ``spec/paused`` or ``mark/resumed-by``."""
    fields: dict[str, Any] = {}
    for path in paths:
        kind, _, name = path.partition("/")
        if kind == "mark":
            marks = fields.setdefault("f:metadata", {}).setdefault("f:annotations", {})
            marks[f"f:hydracore.io/{name}"] = {}
        else:
            fields.setdefault(f"f:{kind}", {})[f"f:{name}"] = {}
    return {"manager": manager, "operation": "Update", "time": time, "fieldsV1": fields}


def marked(*managed: dict[str, Any], marks: dict[str, str] | None = None, **spec: Any) -> Rollout:
    found = rollout(annotations={f"hydracore.io/{k}": v for k, v in (marks or {}).items()}, **spec)
    found.metadata.managed_fields = list(managed)
    return found


def retried(*managed: dict[str, Any], by: str | None) -> RolloutTarget:
    found = target(rollout(), fleet(1)[0])
    found.metadata.annotations = {} if by is None else {"hydracore.io/retried-by": by}
    found.metadata.managed_fields = list(managed)
    return found


def test_a_rollout_is_made_by_whom_rest_names_or_the_stamp() -> None:
    by_key = marked(marks={"created-by": "kubernetes-user hydracore-api"}, initiated_by=KEY)
    assert creator(by_key) == KEY
    assert creator(marked(marks={"created-by": ADA})) == ADA
    own = marked(marks={"created-by": "kubernetes-user hydracore-operator"})
    own.metadata.labels = {"hydracore.io/managed-by": "operator"}
    assert creator(own) == "operator"


def test_without_a_name_the_field_manager_is_told_and_without_that_nothing() -> None:
    assert creator(marked(entry("argocd", "spec/bundleName"))) == "kubernetes:argocd"
    assert creator(marked(entry("argocd", "spec/paused"))) == "unknown"
    assert creator(marked()) == "unknown"


def test_who_pauses_is_in_the_annotation_or_in_the_stamp_of_the_spec() -> None:
    assert pauser(marked(marks={"paused-by": KEY})) == KEY
    assert pauser(marked(marks={"paused-by": "ada"})) == ADA
    assert pauser(marked(marks={"spec-paused-by": ADA}, paused=True)) == ADA
    by_hand = marked(entry("kubectl-edit", "spec/paused"), paused=True)
    assert pauser(by_hand) == "kubernetes:kubectl-edit"


def test_the_latest_of_several_field_managers_counts() -> None:
    found = marked(
        entry("late", "spec/paused", time="2026-03-01T12:00:09Z"),
        entry("early", "spec/paused", time="2026-03-01T12:00:01Z"),
        paused=True,
    )
    assert pauser(found) == "kubernetes:late"


def test_a_resume_is_by_who_wrote_name_and_time_together() -> None:
    api = entry("hydracore-api", "mark/resumed-at", "mark/resumed-by")
    assert resumer(marked(api, marks={"resumed-by": KEY}), by_mark=True) == KEY


def test_the_name_of_an_earlier_resume_is_not_taken_for_the_present_one() -> None:
    stale = marked(
        entry("hydracore-api", "mark/resumed-by"),
        entry("kubectl-annotate", "mark/resumed-at"),
        marks={"resumed-by": KEY},
    )
    assert resumer(stale, by_mark=True) == "kubernetes:kubectl-annotate"
    assert resumer(marked(marks={"resumed-by": KEY}), by_mark=False) == "unknown"
    unpaused = marked(entry("kubectl-edit", "spec/paused"), marks={"resumed-by": KEY})
    assert resumer(unpaused, by_mark=False) == "kubernetes:kubectl-edit"


def test_a_stamp_of_the_api_server_is_always_that_of_the_latest_resume() -> None:
    assert resumer(marked(marks={"resumed-by": ADA}), by_mark=False) == ADA


@pytest.mark.parametrize(
    ("found", "actor"),
    [
        (marked(marks={"cancelled-by": KEY}), KEY),
        (marked(entry("kubectl-patch", "spec/cancel"), cancel="Force"), "kubernetes:kubectl-patch"),
        (marked(entry("k9s", "mark/cancel"), marks={"cancel": "Force"}), "kubernetes:k9s"),
        (marked(), "unknown"),
    ],
    ids=["named", "spec", "annotation", "deletion"],
)
def test_who_cancels(found: Rollout, actor: str) -> None:
    assert canceller(found) == actor


def test_who_retries() -> None:
    api = entry("hydracore-api", "mark/retried-by", "spec/attempt")
    assert retrier(retried(api, by=KEY)) == KEY
    stale = (entry("hydracore-api", "mark/retried-by"), entry("kubectl-edit", "spec/attempt"))
    assert retrier(retried(*stale, by=KEY)) == "kubernetes:kubectl-edit"
    assert retrier(retried(by=None)) == "unknown"


def test_names_are_as_long_as_an_actor_may_be() -> None:
    assert len(creator(marked(marks={"created-by": "kubernetes-user " + "x" * 400}))) == 253
