"""What contenders store of a target, as HydraCore's definitions have it."""

from __future__ import annotations

from typing import Any

import pytest

from bench.peers import records
from bench.peers.job import Agent
from hydracore_crds.rollout import RolloutStatus
from hydracore_crds.rollout_target import RolloutTargetSpec, RolloutTargetStatus
from tests.bench.peers.conftest import BUNDLE

AGENT = Agent(
    instance_name="agent-1",
    instance_id="00000000-0000-4000-8000-000000000001",
    url="http://127.0.0.1:1",
    public_key="k",
)


def report(**changes: Any) -> dict[str, Any]:
    return {"state": "activated", "runningHash": BUNDLE.sha256, "message": "", **changes}


def test_a_target_names_its_instance_its_digest_and_its_owner() -> None:
    owner = {
        "apiVersion": "hydracore.io/v1alpha1",
        "kind": "Rollout",
        "metadata": {"name": "r", "uid": "u"},
    }
    made = records.owned_by(owner, records.target("r", 7, AGENT, BUNDLE))
    assert made["metadata"]["name"] == "r-00007"
    assert made["metadata"]["ownerReferences"][0]["uid"] == "u"
    spec = RolloutTargetSpec.model_validate(made["spec"])
    assert (spec.instance_name, spec.bundle_hash) == ("agent-1", BUNDLE.sha256)


def test_a_target_that_begins_has_the_id_of_its_order() -> None:
    found = RolloutTargetStatus.model_validate(records.begun())
    assert found.state == "in_progress"
    assert found.task_id is not None
    assert records.begun()["taskId"] != found.task_id


@pytest.mark.parametrize(
    ("told", "state"),
    [
        (report(), "succeeded"),
        (report(runningHash="0" * 64), "failed"),
        (report(state="rolled_back", message="it crashed"), "failed"),
    ],
)
def test_a_target_has_succeeded_only_if_the_agent_runs_the_digest(
    told: dict[str, Any], state: str
) -> None:
    found = RolloutTargetStatus.model_validate(records.ended(told, BUNDLE))
    assert found.state == state
    assert (found.error_message or "").endswith(told["message"])
    assert found.completed_at is not None


@pytest.mark.parametrize(("failed", "state"), [(0, "succeeded"), (1, "failed")])
def test_a_rollout_has_succeeded_only_if_all_targets_have(failed: int, state: str) -> None:
    found = RolloutStatus.model_validate(records.complete(10, failed))
    assert found.state == state
    assert found.counts is not None
    assert (found.counts.succeeded, found.counts.failed) == (10 - failed, failed)
