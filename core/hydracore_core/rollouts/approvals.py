"""What a rollout waits to have approved, and whether an approval by a person is the right one.

REST and the command line ask here before they write the annotation; the plan (:mod:`.waves`)
judges whatever the annotation says, by whatever door it came.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from hydracore_core.rollouts.texts import called
from hydracore_core.rollouts.wishes import approval, cancel_mode
from hydracore_crds import Rollout
from hydracore_crds.rollout import FINAL_STATES, WaveStatus


@dataclass(frozen=True, slots=True)
class Question:
    """What a rollout asks people.

    Attributes:
        wave: The number of the wave that went well, from 1.
        status: That wave.
        token: What approves it: ``<wave>@<plan hash>``.
    """

    wave: int
    status: WaveStatus
    token: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to do with an approval.

    Attributes:
        kind: ``write`` the annotation; it is ``known`` already; it is ``refused``.
        message: Why it is refused, for people.
    """

    kind: Literal["write", "known", "refused"]
    message: str = ""


def token_of(wave: int, plan_hash: str | None) -> str:
    """Return what approves a wave: its number and the plan, so that no other plan is meant."""
    return f"{wave}@{plan_hash}"


def question(rollout: Rollout) -> Question | None:
    """Return what the rollout waits to have approved; None while it waits for nobody."""
    status = rollout.status
    if status.state in FINAL_STATES or cancel_mode(rollout) is not None:
        return None
    waves = status.waves or []
    number = status.wave or 1
    if number > len(waves):
        return None
    wave = waves[number - 1]
    if wave.state != "awaiting_approval" or wave.approval is None:
        return None
    return Question(number, wave, wave.approval)


def judge(rollout: Rollout, token: str) -> Verdict:
    """Say what to do with an approval of this rollout.

    The same approval twice is no fault, also when its wave has been passed meanwhile.
    """
    asked = question(rollout)
    if asked is not None and asked.token == token:
        return Verdict("known" if approval(rollout) == token else "write")
    if token in _given(rollout):
        return Verdict("known")
    return Verdict("refused", _refusal(rollout, asked, token))


def _given(rollout: Rollout) -> set[str]:
    """Return the approvals of waves that were passed by one."""
    status = rollout.status
    waves = enumerate(status.waves or [], start=1)
    return {
        token_of(number, status.plan_hash)
        for number, wave in waves
        if wave.state == "passed" and wave.approved_by is not None
    }


def _refusal(rollout: Rollout, asked: Question | None, token: str) -> str:
    status = rollout.status
    if status.state in FINAL_STATES:
        return f"The rollout has ended ({status.state}): there is nothing to approve"
    if cancel_mode(rollout) is not None:
        return "The rollout is being cancelled: there is nothing to approve"
    if asked is not None:
        return (
            f"{token[:80]} is not what is asked: the rollout waits for the approval {asked.token} "
            f"({called(asked.wave, status.waves or [])}); look at what it stands for, then send it"
        )
    where = f": {status.message}" if status.message else ""
    return f"The rollout waits for no approval now{where}"
