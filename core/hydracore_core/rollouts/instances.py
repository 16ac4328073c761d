"""What the plan asks about an instance: is it still the one, may it be updated now."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from hydracore_core.policies import effective_mode
from hydracore_core.rollouts.scope import TenantScope
from hydracore_core.rollouts.texts import at
from hydracore_crds import Instance, RolloutTarget, UpdatePolicy
from hydracore_crds.base import find
from hydracore_crds.conditions import (
    AGENT_HEALTHY,
    SKIP_NOT_AUTO,
    SKIP_NOT_RUNNING,
    SKIP_POLICY_DISABLED,
    SKIP_UNREACHABLE,
)
from hydracore_crds.names import PAUSED_ANNOTATION

Verdict = tuple[Literal["drop", "wait"], str, str]
"""Drop the target or let it wait; the reason of its condition; why, for people."""


def instance_id(instance: Instance) -> str:
    """Return the instance's REST id: ``spec.id``, or its uid until the operator has set it."""
    return instance.spec.id or instance.metadata.uid


def is_there(scope: TenantScope, target: RolloutTarget) -> bool:
    """Whether the instance that a target is for is there, and is not being deleted."""
    spec = target.spec
    instance = scope.instances.get(spec.instance_name)
    if instance is None or instance.metadata.deletion_timestamp is not None:
        return False
    return instance_id(instance) == spec.instance_id


def updates_disabled(instance: Instance, policy: UpdatePolicy | None) -> bool:
    """Whether the effective policy forbids runtime updates."""
    return effective_mode("runtime", instance.spec.update_policy, policy).mode == "disabled"


def updates_automatic(instance: Instance, policy: UpdatePolicy | None) -> bool:
    """Whether the effective policy has the operator update the runtime by itself."""
    return effective_mode("runtime", instance.spec.update_policy, policy).mode == "auto"


def gone(scope: TenantScope, target: RolloutTarget) -> str | None:
    """Say why a target's instance is no longer the one it was made for; None if it still is.

    An instance that is being deleted counts as gone: its push is to stop. So does a namesake,
    known by its id, or by its uid where the ledger remembers the old one.
    """
    name = target.spec.instance_name
    instance = scope.instances.get(name)
    if instance is None:
        return f"instance {name} was deleted"
    if instance.deleting:
        return f"instance {name} is being deleted"
    slot = scope.slots.get(target.status.task_id or "")
    if instance_id(instance) != target.spec.instance_id or (
        slot is not None
        and slot.target_name == target.metadata.name
        and slot.instance_uid != instance.metadata.uid
    ):
        return f"instance {name} was deleted; another one has its name now"
    return None


def obstacle(
    scope: TenantScope,
    instance: Instance,
    *,
    forced: bool,
    patience: timedelta,
    automatic: bool = False,
) -> Verdict | None:
    """Say what keeps an instance from being updated now; None if nothing does.

    An instance that needs a person (failed, error) or whose owner has switched updates off since
    drops out, so that the rollout can end. One that may come back by itself (provisioning, agent
    unreachable, reconciling paused) waits, and others go first. A target whose instance already
    reports the digest is started all the same: only the agent's own answer makes it succeed.

    Args:
        scope: The tenant.
        instance: The instance.
        forced: The owner's wish for no updates does not count.
        patience: How long an agent may have been unreachable before its instance drops out.
        automatic: The update is for those only whose owner wants updates without being asked.
    """
    name = instance.metadata.name
    state = instance.status.state
    if state in {"failed", "error"}:
        text = f"instance {name} is in state {state}: repair it, then redeploy to it"
        return ("drop", SKIP_NOT_RUNNING, text)
    unwanted = _unwanted(scope, instance, forced=forced, automatic=automatic)
    if unwanted is not None:
        return unwanted
    if state != "running":
        return ("wait", SKIP_NOT_RUNNING, f"{name} is {state or 'not provisioned yet'}")
    if instance.status.health_status == "unreachable":
        return _unreachable(scope, instance, patience)
    if instance.metadata.annotations.get(PAUSED_ANNOTATION) == "true":
        return ("wait", "Paused", f"{name} is paused (annotation {PAUSED_ANNOTATION})")
    return None


def _unreachable(scope: TenantScope, instance: Instance, patience: timedelta) -> Verdict:
    """Let an agent that has just fallen silent come back; else nobody waits for it for ever."""
    name = instance.metadata.name
    healthy = find(instance.status.conditions, AGENT_HEALTHY)
    if healthy is None or healthy.status == "True":
        return ("wait", SKIP_UNREACHABLE, f"{name} is unreachable")
    until = healthy.last_transition_time + patience
    if scope.now >= until:
        text = f"the agent of {name} has been unreachable since {at(healthy.last_transition_time)}"
        return ("drop", SKIP_UNREACHABLE, f"{text}: repair it, then redeploy to it")
    scope.wakes.append(until)
    return ("wait", SKIP_UNREACHABLE, f"{name} is unreachable")


def _unwanted(
    scope: TenantScope, instance: Instance, *, forced: bool, automatic: bool
) -> Verdict | None:
    """Say why the owner does not want the update by now; None if they do."""
    name, policy = instance.metadata.name, scope.view.policy
    if not forced and updates_disabled(instance, policy):
        return ("drop", SKIP_POLICY_DISABLED, f"runtime updates are disabled for instance {name}")
    if automatic and not updates_automatic(instance, policy):
        return ("drop", SKIP_NOT_AUTO, f"the update policy of instance {name} is not auto any more")
    return None
