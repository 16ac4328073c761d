"""Showing and changing the platform's policy, one wish at a time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from hydracore_cli.errors import CliError
from hydracore_core.platform.change import author, change_body
from hydracore_core.platform.freeze import freeze_of
from hydracore_core.texts import at
from hydracore_crds import ObjectMeta, PlatformPolicy
from hydracore_crds.platform_policy import DEFAULT_NAME, PlatformFreeze, PlatformPolicySpec
from hydracore_kube import AlreadyExists, Conflict, KubeClient, NotFound

TRIES = 10
"""How often a write is tried while the operator writes the same object."""


async def show(kube: KubeClient, now: datetime) -> list[str]:
    """Return, in lines, what holds for all tenants at ``now``.

    Raises:
        KubeError: The API server refuses or is away.
    """
    policy = await _read(kube)
    spec = policy.spec if policy is not None else PlatformPolicySpec()
    in_flight = policy.status.in_flight if policy is not None else None
    flying = "not counted yet" if in_flight is None else f"{in_flight} over all tenants"
    cap = spec.max_parallel_rollouts
    lines = [
        f"Frozen     {_frozen(policy, now)}",
        f"Cap        {_cap(cap)}",
        f"In flight  {flying if policy is not None else 'counted once a freeze or a cap is set'}",
    ]
    who = author(policy) if policy is not None else None
    return [*lines, f"Set by     {who}, by REST"] if who is not None else lines


async def freeze(kube: KubeClient, reason: str, until: datetime | None, now: datetime) -> str:
    """Let nothing start in any tenant; return what was done.

    Args:
        kube: The cluster.
        reason: Why, for the tenants.
        until: When it ends by itself; None: when it is taken away.
        now: The time, aware.

    Raises:
        CliError: The time has passed, or the policy changes too fast.
        KubeError: The API server refuses or is away.
    """
    if until is not None and until <= now:
        raise CliError(f"--until {at(until)} has passed: it is {at(now)}; give a time to come")
    wanted = PlatformFreeze(reason=reason, until=until)
    changed = await _change(kube, lambda spec: spec.model_copy(update={"freeze": wanted}))
    if not changed:
        return "the platform is frozen just so already: nothing to do"
    ends = f"until {at(until)}" if until is not None else "until `hydracore platform unfreeze`"
    return f"frozen {ends}: nothing starts in any tenant, what is in flight ends normally"


async def unfreeze(kube: KubeClient) -> str:
    """Take the freeze away; return what was done. Errors are those of :func:`freeze`."""
    changed = await _change(kube, lambda spec: spec.model_copy(update={"freeze": None}))
    if not changed:
        return "there is no freeze: nothing to do"
    return "the freeze is taken away: rollouts go on by their own windows and limits"


async def cap(kube: KubeClient, limit: int | None) -> str:
    """Bound what is in flight over all tenants; return what was done.

    Args:
        kube: The cluster.
        limit: How many targets; None for no bound.

    Raises:
        CliError: The policy changes too fast.
        KubeError: The API server refuses or is away.
    """
    wanted = {"max_parallel_rollouts": limit}
    changed = await _change(kube, lambda spec: spec.model_copy(update=wanted))
    return f"cap: {_cap(limit)}{'' if changed else ' (as before: nothing to do)'}"


def read_time(text: str) -> datetime:
    """Read an RFC 3339 time with its zone.

    Raises:
        CliError: It is none.
    """
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise CliError(f"--until {text} is no time with a zone: write 2027-01-02T06:00:00Z")
    return found.astimezone(UTC)


async def _read(kube: KubeClient) -> PlatformPolicy | None:
    try:
        return await kube.get(PlatformPolicy, DEFAULT_NAME)
    except NotFound:
        return None


async def _change(
    kube: KubeClient, wish: Callable[[PlatformPolicySpec], PlatformPolicySpec]
) -> bool:
    """Change the policy as it stands; return whether that made a difference."""
    for _ in range(TRIES):
        policy = await _read(kube)
        try:
            if policy is not None:
                # Kubernetes knows who we are; a name of our own would need the verb set-marks.
                body = change_body(policy, wish(policy.spec), actor=None)
                if body is not None:
                    await kube.patch(PlatformPolicy, DEFAULT_NAME, None, body)
                return body is not None
            wanted = wish(PlatformPolicySpec())
            if wanted == PlatformPolicySpec():
                return False
            await kube.create(PlatformPolicy(metadata=ObjectMeta(name=DEFAULT_NAME), spec=wanted))
        except (Conflict, AlreadyExists, NotFound):
            continue
        return True
    raise CliError("the platform's policy is changing too fast: look at it and try again")


def _frozen(policy: PlatformPolicy | None, now: datetime) -> str:
    asked = policy.spec.freeze if policy is not None else None
    if asked is None:
        return "no"
    if freeze_of(policy, now) is None and asked.until is not None:
        return f"no; the last freeze ended at {at(asked.until)} ({asked.reason})"
    ends = f"until {at(asked.until)}" if asked.until is not None else "until it is taken away"
    return f"yes, {ends}: {asked.reason}"


def _cap(limit: int | None) -> str:
    if limit is None:
        return "none, only the tenants' own limits"
    return f"at most {limit} in flight over all tenants, shared fairly"
