"""What must hold of every write, judged from the API server's history and the agents' book.

I5: what has ended stays. I6: counts add up, and no target is lost. And what is stored is true.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from hydracore_crds import Rollout, RolloutTarget
from hydracore_crds.names import ROLLBACK_ANNOTATION
from hydracore_crds.rollout import FINAL_STATES
from hydracore_operator.rollouts.entries import UNKNOWN_EPOCH, decode
from tests.operator.rollouts.model.records import Attempt

if TYPE_CHECKING:
    from tests.operator.rollouts.model.world import World

STEPS = {
    "queued": {"in_progress", "cancelled"},
    "in_progress": {"succeeded", "failed", "uncertain", "cancelled", "queued"},
    "uncertain": {"succeeded", "failed", "cancelled", "queued"},
    "failed": {"queued"},
    "succeeded": set(),
    "cancelled": set(),
}
ENDS = {"succeeded", "failed", "cancelled"}
OPEN = {None, "queued", "in_progress"}


class WriteOracles:
    """Is told of every write; see :class:`tests.operator.rollouts.model.server.Witness`."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._records = world.records

    def stored(self, old: Any, new: Any, by: str) -> None:
        if isinstance(old or new, RolloutTarget):
            if new is None:
                self._removed(old)
            elif old is not None and old.metadata.uid == new.metadata.uid:
                self._target(old, new, by)
        elif isinstance(old, Rollout) and new is not None and old.status != new.status:
            self._rollout(old, new, by)

    def slots_stored(self, old: dict[str, str], new: dict[str, str], by: str) -> None:
        """I3 at the ledger: a claim never makes it longer than the limit its writer knew."""
        self._records.claimed |= new.keys()
        for task in old.keys() - new.keys():
            self._freed(task, by)
        entries = decode(new)
        uids = [entry.instance_uid for entry in entries.values()]
        self._check(len(uids) == len(set(uids)), f"{by} gave an instance two slots")
        claims = [t for t in new.keys() - old.keys() if entries[t].epoch != UNKNOWN_EPOCH]
        if claims:
            limit = self._world.limit_known(by)
            text = f"{by} made {len(entries)} slots where {limit} are allowed"
            self._check(len(entries) <= limit, text)

    def _freed(self, task: str, by: str) -> None:
        """A slot is kept until its target's outcome is stored, or can no longer change."""
        target = self._world.target_with(task)
        if target is None or target.status.state != "in_progress":
            return
        deadline = target.status.deadline
        over = deadline is None or self._world.now() >= deadline
        kept = self._world.has_agent(target.spec.instance_id) and not over
        self._check(not kept, f"{by} freed the slot of {target.metadata.name}, in progress")

    # ---- targets ---------------------------------------------------------------------------
    def _removed(self, old: RolloutTarget) -> None:
        """I6: a target goes only after its rollout."""
        there = {found.metadata.uid for found in self._world.server.of(Rollout)}
        lost = [owner for owner in old.metadata.owner_references if owner.uid in there]
        self._check(not lost, f"target {old.metadata.name} was lost")

    def _target(self, old: RolloutTarget, new: RolloutTarget, by: str) -> None:
        before, after = old.status.state or "queued", new.status.state or "queued"
        step = f"{by}: {new.metadata.name}: {before} -> {after}"
        if before == after:
            same = _outcome(old) == _outcome(new)
            self._check(same or before not in ENDS, f"{step}: what has ended changed")
            return
        self._check(after in STEPS[before], f"{step} is no step")
        task = old.status.task_id
        if after == "in_progress" and new.status.task_id is not None:
            attempt = Attempt(new.metadata.uid, new.spec.attempt)
            self._records.carried[new.status.task_id] = attempt
        elif after == "queued" and before != "in_progress":
            again = new.spec.attempt > (old.status.attempt or 1)
            self._check(again, f"{step} although nobody asked for a retry")
        elif task is not None:
            self._outcome_is_true(old, new, step)

    def _outcome_is_true(self, old: RolloutTarget, new: RolloutTarget, step: str) -> None:
        """What is stored of an attempt is what its agent says of it."""
        task, after = old.status.task_id or "", new.status.state
        said = self._records.ended.get(task)
        works = task in self._records.begun and said is None
        if after == "succeeded":
            self._check(said == "activated", f"{step} although the agent says {said}")
        elif after == "uncertain":
            late = old.status.deadline is None or self._world.now() >= old.status.deadline
            self._check(late, f"{step} before its deadline")
        elif self._world.has_agent(old.spec.instance_id):
            self._check(said != "activated", f"{step} although the agent says {said}")
            self._check(not works, f"{step} while the agent works on it")

    # ---- rollouts --------------------------------------------------------------------------
    def _rollout(self, old: Rollout, new: Rollout, by: str) -> None:
        name, uid = new.metadata.name, new.metadata.uid
        records, counts = self._records, new.status.counts
        if counts is not None:
            parts = counts.model_dump(exclude={"total"})
            self._check(sum(parts.values()) == counts.total, f"{name}: counts do not add up")
            before = old.status.counts
            grown = before is None or counts.total >= before.total
            self._check(grown, f"{name}: {before} became {counts}: a target was lost")
        self._halt(old, new)
        touched = records.resumes[uid] + records.retries[uid]
        if old.status.state in FINAL_STATES and new.status.state != old.status.state:
            self._reopened(old, new, touched, by)
        if new.status.state in FINAL_STATES:
            records.finals.setdefault(uid, records.retries[uid])
        for number, wave in enumerate(new.status.waves or (), start=1):
            kept = (old.status.waves or [None] * number)[number - 1]
            if wave.state == "passed" and (kept is None or kept.state != "passed"):
                self._passed(new, number, by)
            elif kept is not None and kept.state == "passed":
                self._check(wave.state == "passed", f"{name}: wave {number} is no longer passed")

    def _halt(self, old: Rollout, new: Rollout) -> None:
        """A halt ends because a person resumes, or because what was updated is taken back."""
        uid, records = new.metadata.uid, self._records
        touched = records.resumes[uid] + records.retries[uid]
        if new.status.halt_reason is not None:
            if old.status.halt_reason is None:
                records.halts[uid] = touched
        elif old.status.halt_reason is not None:
            ended = touched > records.halts[uid] or new.status.rollback is not None
            ended = ended or old.status.state in FINAL_STATES or new.status.state in FINAL_STATES
            self._check(ended, f"{new.metadata.name} resumed by itself")

    def _reopened(self, old: Rollout, new: Rollout, touched: int, by: str) -> None:
        """A finished rollout is reopened by a retry or a rollback, else corrected by evidence.

        Evidence is also a target whose creation was on its way when another operator ended it.
        """
        uid, asked = new.metadata.uid, ROLLBACK_ANNOTATION in new.metadata.annotations
        retried = self._records.retries[uid] > self._records.finals.get(uid, 0)
        was, now = old.status.counts, new.status.counts
        late = was is not None and now is not None and now.total > was.total
        evidence = late or (new.status.state in FINAL_STATES and was != now)
        text = f"{by}: {new.metadata.name}: {old.status.state} -> {new.status.state}"
        self._check(retried or asked or evidence, f"{text} by itself")
        self._records.finals.pop(uid, None)

    def _passed(self, rollout: Rollout, number: int, by: str) -> None:
        """A wave is passed when all of it has ended and baked, and where one must has approved."""
        name, wanted = rollout.metadata.name, rollout.spec.strategy.waves or []
        mine = [t for t in self._world.targets_of(rollout) if t.spec.wave == number]
        mine = [t for t in mine if t.spec.rollback_of is None and t.spec.attempt == 1]
        left = [t.metadata.name for t in mine if self._still_open(t, by)]
        self._check(not left, f"{name}: wave {number} is passed without {left}")
        if number > len(wanted):
            return
        wave = wanted[number - 1]
        token = f"{number}@{rollout.status.plan_hash}"
        last = number == len(rollout.status.waves or ())
        approved = not wave.approval or last or token in self._records.approvals
        self._check(approved, f"{name}: nobody approved wave {number}")
        ends = [t.status.completed_at for t in mine if t.status.state == "succeeded"]
        ended = max((end for end in ends if end is not None), default=None)
        accepted = rollout.status.failures_accepted_until
        if ended is not None and (accepted is None or accepted < ended):
            baked = ended + timedelta(seconds=wave.bake_seconds)
            self._check(self._world.now() >= baked, f"{name}: wave {number} has not baked")

    def _still_open(self, target: RolloutTarget, by: str) -> bool:
        """Whether the writer must know that the target is still to run, and that it can be run."""
        world = self._world
        for known in world.known(by, "rollouttargets", target.metadata.name):
            if known is None or known.status.state not in OPEN:
                return False
        if target.status.state == "in_progress":
            return True
        instances = world.known(by, "instances", target.spec.instance_name)
        return all(i is not None and world.is_well(i) for i in instances)

    def _check(self, holds: bool, text: str) -> None:  # noqa: FBT001
        if not holds:
            self._world.violated(text)


def _outcome(target: RolloutTarget) -> tuple[object, ...]:
    status = target.status
    parts: tuple[object, ...] = (status.state, status.attempt, status.task_id, status.completed_at)
    return (*parts, status.last_result_status)
