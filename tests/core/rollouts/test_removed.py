"""Targets that somebody deletes by hand stay in the counts, as what they were."""

from __future__ import annotations

import pytest

from hydracore_core.rollouts.model import Report
from hydracore_core.rollouts.plan import plan
from hydracore_crds import Rollout, RolloutTarget
from hydracore_crds.rollout import Counts, RolloutStatus
from tests.core.rollouts.builders import done, fleet, of, rollout, running, slot, target, view

FLEET = fleet(6)
STATES = ("succeeded", "failed", "uncertain", "cancelled")


def reported(owner: Rollout, *targets: RolloutTarget, **fields: object) -> RolloutStatus:
    """Return the status that is stored once a plan for these targets has been carried out."""
    made = plan(view(rollouts=[owner], targets=targets, instances=FLEET, **fields))
    found = of(made, Report)
    return found[0].status if found else owner.status


def stored(*targets_of: RolloutTarget, owner: Rollout, **fields: object) -> Rollout:
    status = reported(owner, *targets_of, **fields)
    return owner.model_copy(update={"status": status})


@pytest.mark.parametrize("state", STATES)
def test_an_end_stays_what_it_was(state: str) -> None:
    owner = rollout(admitted=True)
    gone = done(owner, FLEET[0], 0, state)
    rest = [target(owner, FLEET[1], 1), target(owner, FLEET[2], 2)]
    before = stored(gone, *rest, owner=owner)
    status = reported(before, *rest)
    assert status.counts == before.status.counts
    assert status.removed == Counts(total=1, **{state: 1})


def test_one_that_waited_counts_as_cancelled() -> None:
    owner = rollout(admitted=True)
    targets = [done(owner, FLEET[0], 0, "succeeded"), *(target(owner, FLEET[n], n) for n in (1, 2))]
    before = stored(*targets, owner=owner)
    status = reported(before, *targets[:2])
    assert status.counts == Counts(total=3, succeeded=1, queued=1, cancelled=1)
    assert status.removed == Counts(total=1, cancelled=1)
    assert "1 of them deleted by hand" in (status.message or "")


def test_one_in_flight_counts_as_uncertain_while_others_go_on() -> None:
    """What was found out stays although its slot is free later and the others end."""
    owner = rollout(admitted=True)
    flying, other = running(owner, FLEET[0], 0), running(owner, FLEET[1], 1)
    slots = [slot(flying, FLEET[0]), slot(other, FLEET[1])]
    before = stored(flying, other, owner=owner, slots=slots)
    assert before.status.counts == Counts(total=2, in_progress=2)

    between = stored(other, owner=before, slots=slots)
    assert between.status.counts == Counts(total=2, in_progress=1, uncertain=1)
    ended = reported(between, done(owner, FLEET[1], 1, "succeeded"))
    assert ended.counts == Counts(total=2, succeeded=1, uncertain=1)
    assert ended.state == "failed"


def test_a_slot_that_is_still_held_counts_once() -> None:
    owner = rollout(admitted=True)
    flying, waiting, last = (
        running(owner, FLEET[0], 0),
        target(owner, FLEET[1], 1),
        running(owner, FLEET[2], 2),
    )
    slots = [slot(flying, FLEET[0]), slot(last, FLEET[2])]
    before = stored(flying, waiting, last, owner=owner, slots=slots)
    between = stored(waiting, last, owner=before, slots=slots)
    after = stored(last, owner=between, slots=slots)
    assert after.status.removed == Counts(total=2, uncertain=1, cancelled=1)
    # The first slot is free by now; the second is held by a target that vanishes too.
    ended = reported(after, slots=slots[1:])
    assert ended.removed == Counts(total=3, uncertain=2, cancelled=1)


def test_all_gone_is_an_end_too() -> None:
    owner = rollout(admitted=True)
    before = stored(*(target(owner, FLEET[n], n) for n in range(3)), owner=owner)
    status = reported(before)
    assert (status.state, status.counts) == ("cancelled", Counts(total=3, cancelled=3))
    assert "3 deleted by hand" in (status.message or "")


def test_a_finished_rollout_keeps_its_counts() -> None:
    owner = rollout(admitted=True)
    targets = [done(owner, FLEET[n], n, "succeeded") for n in range(3)]
    before = stored(*targets, owner=owner)
    assert before.status.state == "succeeded"
    assert reported(before, targets[0]) == before.status
    assert reported(before) == before.status
