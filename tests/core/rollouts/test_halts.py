from __future__ import annotations

from hydracore_core.rollouts.halts import error_groups, halt_text, threshold_head
from hydracore_core.rollouts.scope import RolloutScope, TenantScope
from hydracore_core.rollouts.survey import survey
from hydracore_crds import RolloutTarget
from tests.core.rollouts.builders import (
    done,
    fleet,
    instance,
    rollout,
    running,
    target,
    view,
)

FLEET = fleet(12)
OWNER = rollout(admitted=True, strategy={"failureThreshold": {"percent": 10, "minExecuted": 3}})


def scope_of(*targets: object) -> RolloutScope:
    found: TenantScope = survey(view(rollouts=[OWNER], targets=targets, instances=FLEET))
    return found.rollouts[0]


def told(scope: RolloutScope, failed: list[RolloutTarget]) -> str:
    return halt_text(scope, threshold_head(scope, failed), failed, {})


def test_a_person_at_night_reads_what_happened_and_what_can_be_done() -> None:
    scope = scope_of(
        done(OWNER, FLEET[0], 0, "failed", error_message="trial crashed: KeyError (pid 4711)"),
        done(OWNER, FLEET[1], 1, "failed", error_message="trial crashed: KeyError (pid 815)"),
        done(OWNER, FLEET[2], 2, "uncertain", error_message="no answer"),
        done(OWNER, FLEET[3], 3, "succeeded"),
        running(OWNER, FLEET[4], 4),
        target(OWNER, FLEET[5], 5),
        target(OWNER, FLEET[6], 6),
    )
    assert told(scope, [*scope.failed, *scope.uncertain]) == (
        "Halted: 3 of 4 executed targets failed, 1 with unknown outcome, "
        "the limit is 10% once 3 have run. "
        'Errors: 2x "trial crashed: KeyError (pid 4711)" (a-0, a-1); 1x "no answer" (a-2). '
        "1 target still in flight will finish, 2 targets untouched. "
        "Resume: go on with the 2 queued; these failures are accepted. "
        "Retry: a failed target waits for the resume and then gets the same bundle again. "
        "Cancel: drop the 2 queued; what was updated stays updated."
    )


def test_many_different_errors_are_cut_to_the_most_frequent() -> None:
    errors = ["alpha", "beta", "beta", "gamma", "delta", "epsilon"]
    failed = [
        done(OWNER, FLEET[n], n, "failed", error_message=text) for n, text in enumerate(errors)
    ]
    assert error_groups(failed, {}) == [
        '2x "beta" (a-1, a-2)',
        '1x "alpha" (a-0)',
        '1x "gamma" (a-3)',
        "2 with other errors",
    ]


def test_long_errors_and_many_names_stay_within_the_schema() -> None:
    failed = [
        done(OWNER, FLEET[n], n, "failed", error_message=chr(97 + n) * 2048) for n in range(12)
    ]
    assert len(told(scope_of(*failed), failed)) <= 2048
    same = [done(OWNER, FLEET[n], n, "failed", error_message="same") for n in range(5)]
    assert error_groups(same, {}) == ['5x "same" (a-0, a-1, a-2 and 2 more)']


def test_without_a_message_the_result_speaks() -> None:
    silent = done(OWNER, FLEET[0], 0, "failed", last_result_status="rolled_back")
    assert error_groups([silent], {}) == ['1x "rolled_back" (a-0)']
    assert error_groups([done(OWNER, FLEET[0], 0, "failed")], {}) == ['1x "no reason given" (a-0)']


def test_instances_are_called_as_people_call_them() -> None:
    named = instance("a-0", agent_name="Ada\x07 Lovelace")
    failed = [
        done(OWNER, named, 0, "failed", error_message="same"),
        done(OWNER, FLEET[1], 1, "failed", error_message="same"),
        done(OWNER, instance("gone"), 2, "failed", error_message="same"),
    ]
    known = {"a-0": named, "a-1": FLEET[1]}
    assert error_groups(failed, known) == ['3x "same" (Ada Lovelace [a-0], a-1, gone)']


def test_a_queued_retry_is_not_untouched() -> None:
    scope = scope_of(
        done(OWNER, FLEET[0], 0, "failed"),
        target(OWNER, FLEET[1], 1, attempt=2, state="queued"),
        target(OWNER, FLEET[2], 2),
    )
    text = told(scope, scope.failed)
    assert "None in flight, 1 target untouched, 1 queued for a retry." in text


def test_the_ways_on_are_those_that_are_left() -> None:
    ended = done(OWNER, FLEET[0], 0, "failed")
    text = told(scope_of(ended), [ended])
    assert text.endswith("None in flight, 0 targets untouched. Nothing is left to start.")
    cancelled = rollout(admitted=True, cancel="Graceful")
    scope = survey(view(rollouts=[cancelled], targets=[ended], instances=FLEET)).rollouts[0]
    assert told(scope, [ended]).endswith("Then cancelled by spec.cancel.")
