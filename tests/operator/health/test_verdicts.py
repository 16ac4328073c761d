"""When a belief about an agent changes, and when it does not."""

from __future__ import annotations

import pytest

from hydracore_agentclient import (
    AgentError,
    AgentStatus,
    InvalidAnswer,
    Timeout,
    Unreachable,
    WrongIdentity,
)
from hydracore_crds import Instance
from hydracore_operator.health.verdicts import Verdicts, differs, from_error, from_status


def answer(**fields: object) -> AgentStatus:
    return AgentStatus.model_validate(
        {
            "instance_id": "i",
            "version": "1.0.0",
            "bundle_hash": "ab" * 32,
            "healthy": True,
            "health_status": "healthy",
            **fields,
        }
    )


def test_one_good_answer_counts_at_once() -> None:
    verdicts = Verdicts()
    assert verdicts.get("i") is None
    verdicts.failed("i", Unreachable("gone"))
    assert verdicts.answered("i", answer()).health == "healthy"
    assert verdicts.get("i") == from_status(answer())


def test_only_the_third_failure_in_a_row_changes_the_verdict() -> None:
    verdicts = Verdicts()
    verdicts.answered("i", answer())
    seen = [verdicts.failed("i", Unreachable("gone")) for _ in range(2)]
    assert [v.health for v in seen if v] == ["healthy", "healthy"]
    verdicts.answered("i", answer())
    seen = [verdicts.failed("i", Unreachable("gone")) for _ in range(3)]
    assert [v.health for v in seen if v] == ["healthy", "healthy", "unreachable"]


def test_the_same_trouble_is_not_told_anew() -> None:
    verdicts = Verdicts()
    for number in range(5):
        last = verdicts.failed("i", Unreachable(f"attempt {number}"))
    assert last is not None
    assert last.message == "attempt 2"
    assert verdicts.failed("i", WrongIdentity("liar")) == from_error(WrongIdentity("liar"))


def test_a_forgotten_instance_starts_anew() -> None:
    verdicts = Verdicts()
    verdicts.answered("i", answer())
    verdicts.forget("i")
    assert verdicts.get("i") is None


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (Unreachable("x"), "Unreachable"),
        (Timeout("x"), "Unreachable"),
        (InvalidAnswer("x"), "InvalidAnswer"),
        (WrongIdentity("x"), "IdentityMismatch"),
    ],
)
def test_errors_have_their_reasons(error: AgentError, reason: str) -> None:
    verdict = from_error(error)
    assert (verdict.health, verdict.reason, verdict.good) == ("unreachable", reason, False)


def test_who_is_not_healthy_is_unhealthy_whatever_it_calls_itself() -> None:
    assert from_status(answer(healthy=False)).health == "unhealthy"
    degraded = from_status(answer(health_status="degraded"))
    assert (degraded.health, degraded.good) == ("degraded", True)


def test_a_runtime_on_trial_is_not_believed_yet() -> None:
    assert from_status(answer(on_trial=True)).bundle_hash is None


def test_differs_from_what_is_stored() -> None:
    stored = Instance.model_validate(
        {
            "spec": {"className": "c", "regionId": "r"},
            "status": {
                "healthStatus": "healthy",
                "runtime": {"version": "1.0.0", "bundleHash": "ab" * 32},
            },
        }
    )
    assert not differs(from_status(answer()), stored)
    assert not differs(from_status(answer(on_trial=True, bundle_hash="cd" * 32)), stored)
    assert differs(from_status(answer(bundle_hash="cd" * 32)), stored)
    assert differs(from_status(answer(healthy=False)), stored)
    assert differs(from_error(Unreachable("x")), stored)
