"""Phase: finalizer and id are stored before any provider call."""

from __future__ import annotations

from datetime import timedelta

from hydracore_crds import Instance
from hydracore_crds.names import FINALIZER
from hydracore_operator.context import RetryLater
from hydracore_operator.instances.scope import Scope


async def identity(scope: Scope) -> bool:
    """Put the finalizer on and set ``spec.id`` where they are missing, in one write.

    Raises:
        KubeError: It could not be written; Conflict where the object changed meanwhile.
    """
    obj = scope.instance
    if _identified(obj):
        return True
    finalizers = obj.metadata.finalizers
    if FINALIZER not in finalizers:
        finalizers = [*finalizers, FINALIZER]
    body = {
        "metadata": {
            "uid": obj.metadata.uid,
            "resourceVersion": obj.metadata.resource_version,
            "finalizers": finalizers,
        },
        "spec": {"id": obj.spec.id or obj.metadata.uid},
    }
    scope.take(await scope.ctx.kube.patch(Instance, scope.name, scope.namespace, body))
    return True


async def confirm(scope: Scope) -> None:
    """Read the object fresh and go on only where finalizer, id and intent are stored in it.

    Raises:
        RetryLater: It was deleted, recreated or changed since it was read.
        KubeError: It cannot be read.
    """
    before = scope.instance
    fresh = await scope.ctx.kube.get(Instance, scope.name, scope.namespace)
    scope.take(fresh)
    same = fresh.metadata.uid == before.metadata.uid and fresh.spec.id == before.spec.id
    intended = fresh.status.hostname is not None and fresh.status.provider is not None
    if not (same and intended and _identified(fresh)) or fresh.deleting:
        raise RetryLater(f"{before.key} changed since it was read", timedelta(milliseconds=200))


def _identified(obj: Instance) -> bool:
    return obj.spec.id is not None and FINALIZER in obj.metadata.finalizers
