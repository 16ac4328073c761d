"""When a belief about an agent changes, and when it does not."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hydracore_agentclient import (
    AgentError,
    AgentStatus,
    InvalidAnswer,
    Timeout,
    Unreachable,
    WrongIdentity,
)
from hydracore_core.health import SUPPRESS_ABOVE
from hydracore_crds import Instance
from hydracore_operator.health.verdicts import (
    Seen,
    Verdicts,
    differs,
    from_error,
    from_status,
)

ID = "00000000-0000-4000-8000-000000000001"


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


def said(status: str, reason: str) -> dict[str, str]:
    """The condition AgentHealthy as it is stored."""
    since = "2030-01-01T00:00:00Z"
    return {
        "type": "AgentHealthy",
        "status": status,
        "reason": reason,
        "message": "",
        "lastTransitionTime": since,
    }


def instance(**status: object) -> Instance:
    wire = {"spec": {"id": ID, "className": "c", "regionId": "r"}, "status": status}
    return Instance.model_validate(wire)


def feed(
    verdicts: Verdicts, *outcomes: AgentStatus | AgentError, stored: Instance | None = None
) -> list[Seen]:
    """Take in one poll every ten seconds."""
    return [
        verdicts.take(stored or instance(), ID, outcome, 10.0 * number)
        for number, outcome in enumerate(outcomes)
    ]


def healths(seen: list[Seen]) -> list[str | None]:
    return [one.verdict.health if one.verdict else None for one in seen]


def test_the_first_good_answer_counts_at_once() -> None:
    verdicts = Verdicts()
    assert verdicts.get(ID) is None
    (seen,) = feed(verdicts, answer())
    assert (seen.verdict, seen.changed, seen.settled) == (from_status(answer()), True, True)
    assert verdicts.get(ID) == from_status(answer())


def test_only_the_third_failure_in_a_row_and_the_second_answer_after_it_count() -> None:
    gone = Unreachable("gone")
    seen = feed(Verdicts(), answer(), gone, gone, gone, answer(), answer())
    good, bad = "healthy", "unreachable"
    assert healths(seen) == [good, good, good, bad, bad, good]
    assert [one.changed for one in seen] == [True, False, False, True, False, True]
    assert [one.settled for one in seen] == [True, False, False, True, False, True]


def test_the_same_trouble_is_not_told_anew_but_another_is() -> None:
    verdicts = Verdicts()
    seen = feed(verdicts, answer(), *(Unreachable(f"attempt {n}") for n in range(5)))
    assert [one.changed for one in seen] == [True, False, False, True, False, False]
    last = verdicts.get(ID)
    assert last is not None
    assert (last.message, last.bundle_hash) == ("attempt 2", "ab" * 32)
    liar = verdicts.take(instance(), ID, WrongIdentity("liar"), 99)
    assert liar.changed
    assert liar.verdict is not None
    assert (liar.verdict.reason, liar.verdict.message) == ("IdentityMismatch", "liar")


def test_a_process_that_starts_goes_on_with_what_is_stored() -> None:
    runtime = {"version": "1.0.0", "bundleHash": "ab" * 32}
    well = instance(healthStatus="healthy", runtime=runtime, conditions=[said("True", "Healthy")])
    down = instance(
        healthStatus="unreachable", runtime=runtime, conditions=[said("False", "Unreachable")]
    )
    gone = Unreachable("gone")
    assert healths(feed(Verdicts(), gone, gone, gone, stored=well)) == [None, None, "unreachable"]
    assert healths(feed(Verdicts(), answer(), answer(), stored=down)) == [None, "healthy"]
    assert [one.changed for one in feed(Verdicts(), answer(), stored=well)] == [False]


def test_a_new_runtime_is_told_at_once_also_by_an_agent_in_doubt() -> None:
    new = answer(version="1.1.0", bundle_hash="cd" * 32)
    seen = feed(Verdicts(), answer(), new)
    assert [one.changed for one in seen] == [True, True]
    gone = Unreachable("gone")
    back = feed(Verdicts(), answer(), gone, gone, gone, new)[-1].verdict
    assert back is not None
    assert (back.health, back.version) == ("unreachable", "1.1.0")


def test_flapping_is_said_and_shows_the_worst() -> None:
    verdicts, gone = Verdicts(), Unreachable("gone")
    seen = feed(verdicts, *[answer(), answer(), gone, gone, gone] * 4, *[answer()] * 3)
    told = [one.verdict for one in seen if one.changed and one.verdict]
    assert [v.health for v in told][:3] == ["healthy", "unreachable", "healthy"]
    assert (told[-1].health, told[-1].reason) == ("unreachable", "Flapping")
    assert told[-1].bundle_hash == "ab" * 32
    stored = instance(
        healthStatus="unreachable",
        runtime={"version": "1.0.0", "bundleHash": "ab" * 32},
        conditions=[said("False", "Flapping")],
    )
    assert not differs(told[-1], stored)
    assert differs(from_error(gone), stored)
    (after,) = feed(Verdicts(), answer(), stored=stored)
    assert after.verdict is not None
    assert (after.verdict.health, after.verdict.reason) == ("unreachable", "Flapping")
    assert not after.changed


POLLS = st.lists(
    st.tuples(st.sampled_from(["h", "d", "u", "x", "w"]), st.sampled_from(["a", "b", "c"])),
    max_size=300,
)


def outcome_of(kind: str, digest: str) -> AgentStatus | AgentError:
    """Make a good answer, a degraded or an unhealthy one, or an error of two kinds."""
    faults = {"x": Unreachable("gone"), "w": WrongIdentity("liar")}
    return faults.get(kind) or answer(
        healthy=kind != "u",
        health_status={"h": "healthy", "d": "degraded"}.get(kind, "unhealthy"),
        bundle_hash=digest * 64,
    )


@given(POLLS)
def test_an_answer_that_is_the_very_object_of_before_is_judged_as_an_equal_one(
    polls: list[tuple[str, str]],
) -> None:
    """Runs of the same outcome, in which news may be held back until there is budget for them."""
    runs = [poll for poll in polls for _ in range(4)]
    kept: dict[tuple[str, str], AgentStatus | AgentError] = {}
    same = feed(Verdicts(), *(kept.setdefault(poll, outcome_of(*poll)) for poll in runs))
    equal = feed(Verdicts(), *(outcome_of(*poll) for poll in runs))
    assert same == equal


@given(POLLS)
def test_whatever_an_agent_answers_the_stored_status_is_written_a_bounded_number_of_times(
    polls: list[tuple[str, str]],
) -> None:
    """What a reconcile would write: all that a verdict says but its message."""
    verdicts, writes, stored = Verdicts(), 0, None
    for number, (kind, digest) in enumerate(polls):
        verdict = verdicts.take(instance(), ID, outcome_of(kind, digest), 10.0 * number).verdict
        says = verdict and (verdict.health, verdict.reason, verdict.version, verdict.bundle_hash)
        writes += says is not None and says != stored
        stored = says or stored
    seconds, limits = 10.0 * len(polls), verdicts.limits
    news = 1 + limits.runtime_burst + seconds / limits.runtime_seconds
    quiet = 1 + SUPPRESS_ABOVE * (1 + seconds * math.log(2) / limits.half_life)
    flapping = 5 * (1 + seconds / (limits.half_life * math.log2(3)))
    assert writes <= news + quiet + flapping


def test_a_forgotten_instance_starts_anew() -> None:
    verdicts = Verdicts()
    feed(verdicts, answer())
    verdicts.forget(ID)
    assert verdicts.get(ID) is None


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
                "conditions": [said("True", "Healthy")],
            },
        }
    )
    assert not differs(from_status(answer()), stored)
    for unsaid in ([], [said("Unknown", "WaitingForAgent")], [said("False", "Unreachable")]):
        status = stored.status.to_wire() | {"conditions": unsaid}
        assert differs(from_status(answer()), instance(**status))
    assert not differs(from_status(answer(on_trial=True, bundle_hash="cd" * 32)), stored)
    assert differs(from_status(answer(bundle_hash="cd" * 32)), stored)
    assert differs(from_status(answer(healthy=False)), stored)
    assert differs(from_error(Unreachable("x")), stored)
