"""Who still needs a bundle."""

from __future__ import annotations

from hydracore_crds import Bundle, Instance
from hydracore_crds.rollout import FINAL_STATES
from hydracore_operator.context import Context

_SHOWN = 5


async def users_of(ctx: Context, bundle: Bundle) -> list[str]:
    """Return who needs the bundle, for people; empty where nobody does.

    Classes that install it first, rollouts that have not ended, instances that run it, and
    instances that would go back to it.

    Raises:
        HistoryUnavailable: SQL knows what instances ran before, and cannot be asked.
    """
    name, digest = bundle.metadata.name, bundle.spec.artifact.sha256
    found = [
        f"InstanceClass {c.metadata.name}"
        for c in ctx.stores.classes.all()
        if c.spec.bundle_name == name
    ]
    found += [
        f"Rollout {r.key}"
        for r in ctx.stores.rollouts.all()
        if r.spec.bundle_name == name and r.status.state not in FINAL_STATES
    ]
    instances = ctx.stores.instances.all()
    running = {i.key for i in instances if _runs(i, digest)}
    found += [f"Instance {key} (runs it)" for key in running]
    found += await _previous(ctx, [i for i in instances if i.key not in running], digest)
    return sorted(found)


def sentence(users: list[str]) -> str:
    """Return the users as one bounded enumeration."""
    shown = ", ".join(users[:_SHOWN])
    more = len(users) - _SHOWN
    return f"{shown} and {more} more" if more > 0 else shown


def _runs(instance: Instance, digest: str) -> bool:
    return instance.status.runtime is not None and instance.status.runtime.bundle_hash == digest


async def _previous(ctx: Context, instances: list[Instance], digest: str) -> list[str]:
    """Return the instances whose agents keep the digest to go back to, as they last said."""
    keys = {i.spec.id: i.key for i in instances if i.spec.id is not None}
    rows = await ctx.history.health.get_many(list(keys))
    return [
        f"Instance {keys[row.instance_id]} (may go back to it)"
        for row in rows.values()
        if (row.last_status or {}).get("previousBundleHash") == digest
    ]
