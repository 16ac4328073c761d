"""What agents' answers mean."""

from __future__ import annotations

from typing import Any

import pytest

from hydracore_agentclient import AgentStatus, TaskReport
from hydracore_operator.rollouts.outcome import doubt, failure, plain, success
from tests.operator.rollouts.builders import DIGEST, OLD_DIGEST

TASK = "00000000-0000-4000-8000-000000000001"
INSTANCE = "00000000-0000-4000-8000-000000000002"


def report(state: str, **fields: Any) -> TaskReport:
    return TaskReport.model_validate({"task_id": TASK, "state": state, "final": True, **fields})


def agent(**fields: Any) -> AgentStatus:
    good = {
        "instance_id": INSTANCE,
        "version": "1.1.0",
        "bundle_hash": DIGEST,
        "healthy": True,
        "health_status": "healthy",
    }
    return AgentStatus.model_validate({**good, **fields})


@pytest.mark.parametrize(
    ("state", "forced", "expected"),
    [
        ("rolled_back", False, ("failed", "RolledBack", "rolled_back")),
        ("rejected", False, ("failed", "Rejected", "rejected")),
        ("expired", False, ("failed", "Timeout", "timeout")),
        ("aborted", False, ("failed", "Aborted", "aborted")),
        ("aborted", True, ("cancelled", "Aborted", "aborted")),
        ("rolled_back", True, ("failed", "RolledBack", "rolled_back")),
    ],
)
def test_final_states(state: str, forced: object, expected: tuple[str, str, str]) -> None:
    verdict = failure(report(state, message="why"), forced=bool(forced))
    assert verdict is not None
    assert (verdict.state, verdict.reason, verdict.result) == expected
    assert verdict.message == "why"


@pytest.mark.parametrize("state", ["activated", "downloading", "trial"])
def test_no_failure(state: str) -> None:
    assert failure(report(state), forced=False) is None


def test_a_failure_always_has_a_message() -> None:
    verdict = failure(report("rolled_back"), forced=False)
    assert verdict is not None
    assert "old one" in verdict.message


def test_success_names_the_version() -> None:
    verdict = success(report("activated", version="1.1.0"), agent())
    assert (verdict.state, verdict.reason, verdict.result) == (
        "succeeded",
        "Activated",
        "activated",
    )
    assert "1.1.0" in verdict.message
    assert verdict.detail["healthStatus"] == "healthy"


def test_success_without_a_version_in_the_status_takes_that_of_the_report() -> None:
    verdict = success(report("activated", version="1.1.0"), agent(version=None))
    assert verdict.message == "the agent runs 1.1.0 and is healthy"


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"instance_id": TASK}, "says that it is"),
        ({"bundle_hash": OLD_DIGEST}, "reports digest 000000000000"),
        ({"bundle_hash": None}, "reports digest nothing"),
        ({"on_trial": True}, "on trial"),
        ({"healthy": False, "health_status": "unhealthy"}, "is unhealthy"),
    ],
)
def test_doubts(fields: dict[str, Any], words: str) -> None:
    found = doubt(agent(**fields), instance_id=INSTANCE, digest=DIGEST)
    assert found is not None
    assert words in found


def test_no_doubt() -> None:
    assert doubt(agent(), instance_id=INSTANCE, digest=DIGEST) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [("a\x00b\nc", "a b c"), ("x\ud800y", "x y"), (None, ""), ("z" * 5000, "z" * 2048)],
)
def test_texts_of_agents_are_made_fit(text: str | None, expected: str) -> None:
    assert plain(text) == expected
