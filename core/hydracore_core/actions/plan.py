"""The decision on one action, from what is."""

from __future__ import annotations

from datetime import datetime

from hydracore_core.actions.model import (
    INTERRUPTING,
    RUN_WITHIN,
    SETTLE_FOR,
    START_WITHIN,
    WORKS_IN,
    ActionView,
    Decision,
    Finish,
    Follow,
    Rest,
    Settle,
    Start,
    Wait,
)
from hydracore_crds import Instance, InstanceAction, conditions
from hydracore_crds.base import find
from hydracore_crds.instance_action import FINISHED_STATES
from hydracore_crds.names import PAUSED_ANNOTATION

OPEN_REASONS = frozenset({conditions.INTERRUPTED, conditions.OUTCOME_UNKNOWN})
"""Why an action is uncertain although evidence may still be found."""


def decide(view: ActionView) -> Decision:
    """Return what is to be done next.

    An action starts at most once: only ``pending`` ones start, and one that is found ``running``
    without being followed here becomes ``uncertain``.
    """
    state = view.action.status.state or "pending"
    if state == "pending":
        if view.terminating or view.action.deleting:
            return Rest()
        return _refusal(view) or _hindrance(view) or _start(view)
    if state == "running":
        return _running(view)
    if state == "uncertain" and _can_be_settled(view):
        return Settle()
    return Rest()


def is_over(action: InstanceAction) -> bool:
    """Whether nothing more is to be expected: it has ended, and no evidence is sought any more."""
    state = action.status.state or "pending"
    return state in FINISHED_STATES and (state != "uncertain" or not _is_open(action))


def start_by(action: InstanceAction, now: datetime) -> datetime:
    """Return until when an action may start."""
    return (action.metadata.creation_timestamp or now) + START_WITHIN


def settle_by(action: InstanceAction, now: datetime) -> datetime:
    """Return until when evidence is sought for an uncertain action."""
    return (action.status.deadline or action.status.started_at or now) + SETTLE_FOR


def _start(view: ActionView) -> Start:
    return Start(view.now + RUN_WITHIN[view.action.spec.action])


def _refusal(view: ActionView) -> Finish | None:
    """Return why it will never start."""
    spec, instance = view.action.spec, view.instance
    if instance is None:
        return _failed(
            conditions.INSTANCE_NOT_FOUND,
            f"there is no Instance {spec.instance_name} in this namespace: check instanceName",
        )
    if (gone := _gone(view.action, instance)) is not None:
        return _failed(conditions.INSTANCE_DELETED, gone)
    if (twin := _twin(view)) is not None:
        return _failed(
            conditions.DUPLICATE_ACTION,
            f"{twin.metadata.name} asked for the same before and is not finished yet: wait for it",
        )
    if view.now >= start_by(view.action, view.now):
        return _too_late(view)
    state = instance.status.state or "provisioning"
    if state != "provisioning" and state not in WORKS_IN[spec.action]:
        wanted = " or ".join(sorted(WORKS_IN[spec.action]))
        return _failed(
            conditions.INSTANCE_NOT_RUNNING,
            f"the Instance is {state}, but {spec.action} needs it {wanted}: see its conditions",
        )
    return None


def _hindrance(view: ActionView) -> Wait | None:
    """Return what it has to wait for."""
    instance, spec = view.instance, view.action.spec
    assert instance is not None  # noqa: S101 - a missing one was refused
    if instance.metadata.annotations.get(PAUSED_ANNOTATION) == "true":
        return _wait(
            view, conditions.PAUSED, f"the Instance has the annotation {PAUSED_ANNOTATION}"
        )
    status = instance.status
    if status.state not in WORKS_IN[spec.action]:
        return _wait(view, conditions.INSTANCE_NOT_RUNNING, "the Instance is being provisioned")
    if status.agent_url is None or status.agent_public_key is None:
        return _wait(
            view, conditions.INSTANCE_NOT_RUNNING, "address or key of the agent are not known yet"
        )
    if view.pushed and spec.action in INTERRUPTING:
        return _wait(
            view, conditions.PUSH_IN_PROGRESS, "a rollout pushes to the Instance, which goes first"
        )
    for other in view.others:
        if other.status.state == "running":
            name = other.metadata.name
            return _wait(view, conditions.WAITING_FOR_ACTION, f"{name} runs on the Instance")
    return None


def _running(view: ActionView) -> Decision:
    gone = "it is not there any more" if view.instance is None else None
    if view.instance is not None:
        gone = _gone(view.action, view.instance)
    if gone is not None:
        text = f"the Instance was deleted while the action ran ({gone})"
        return Finish("uncertain", conditions.INSTANCE_DELETED, text)
    if not view.mine:
        return Finish(
            "uncertain",
            conditions.INTERRUPTED,
            "the operator that ran it is gone; it is never run again, and whether it ran is asked",
        )
    deadline = view.action.status.deadline
    return Follow() if deadline is None or view.now < deadline else Settle()


def _can_be_settled(view: ActionView) -> bool:
    there = view.instance is not None and _gone(view.action, view.instance) is None
    return _is_open(view.action) and there and view.now < settle_by(view.action, view.now)


def _is_open(action: InstanceAction) -> bool:
    condition = find(action.status.conditions, conditions.SUCCEEDED)
    return condition is not None and condition.reason in OPEN_REASONS


def _gone(action: InstanceAction, instance: Instance) -> str | None:
    """Return why the Instance is not the one that was meant; a namesake inherits nothing."""
    if instance.deleting:
        return "the Instance is being deleted"
    asked, made = action.metadata.creation_timestamp, instance.metadata.creation_timestamp
    if asked is not None and made is not None and asked < made:
        return "the action was made for an earlier Instance of this name"
    return None


def _twin(view: ActionView) -> InstanceAction | None:
    """Return an older action that asks for the same and is not finished."""
    mine = view.action
    for other in view.others:
        same = (
            other.spec.action == mine.spec.action and other.spec.parameters == mine.spec.parameters
        )
        open_ = (other.status.state or "pending") not in FINISHED_STATES
        if same and open_ and not other.deleting and _age(other) < _age(mine):
            return other
    return None


def _age(action: InstanceAction) -> tuple[str, str]:
    created = action.metadata.creation_timestamp
    return (created.isoformat() if created else "", action.metadata.uid)


def _too_late(view: ActionView) -> Finish:
    condition = find(view.action.status.conditions, conditions.SUCCEEDED)
    waited = f"; it waited because {condition.message}" if condition and condition.message else ""
    return _failed(
        conditions.START_DEADLINE_EXCEEDED,
        f"it did not start within {START_WITHIN.seconds // 60} min{waited}. "
        "Create a new action if it is still wanted",
    )


def _failed(reason: str, message: str) -> Finish:
    return Finish("failed", reason, message)


def _wait(view: ActionView, reason: str, message: str) -> Wait:
    return Wait(reason, message, start_by(view.action, view.now))
