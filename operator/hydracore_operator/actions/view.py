"""What the decision on an action looks at, gathered from the stores."""

from __future__ import annotations

from datetime import datetime

from hydracore_core.actions.model import ActionView
from hydracore_crds import Instance, InstanceAction
from hydracore_kube import NotFound
from hydracore_operator.context import Context


async def gather(ctx: Context, action: InstanceAction, *, mine: bool, now: datetime) -> ActionView:
    """Return everything about one action.

    An Instance that the store does not have is read freshly: its event may still be on its way.

    Raises:
        KubeError: It could not be read.
    """
    namespace, name = action.metadata.namespace or "", action.spec.instance_name
    instance = ctx.stores.instances.get(f"{namespace}/{name}")
    if instance is None:
        instance = await _read(ctx, namespace, name)
    tenant = ctx.stores.namespaces.get(namespace)
    return ActionView(
        action=action,
        now=now,
        instance=instance,
        others=[
            one
            for one in ctx.stores.actions.in_namespace(namespace)
            if one.spec.instance_name == name and one.metadata.uid != action.metadata.uid
        ],
        pushed=instance is not None and _pushed(ctx, namespace, instance),
        mine=mine,
        terminating=tenant is None or tenant.deleting or tenant.tenant_id is None,
    )


async def _read(ctx: Context, namespace: str, name: str) -> Instance | None:
    try:
        found = await ctx.kube.get(Instance, name, namespace)
    except NotFound:
        return None
    ctx.stores.instances.upsert(found)
    return found


def _pushed(ctx: Context, namespace: str, instance: Instance) -> bool:
    id_ = instance.spec.id or instance.metadata.uid
    return any(
        target.status.state == "in_progress" and target.spec.instance_id == id_
        for target in ctx.stores.targets.in_namespace(namespace)
    )
