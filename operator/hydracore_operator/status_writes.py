"""Write the status of an object that may be gone by now."""

from __future__ import annotations

from typing import TypeVar

from hydracore_crds import Resource, Wire
from hydracore_kube import KubeClient, NotFound, ObjectStore

R = TypeVar("R", bound=Resource)


async def write_status(kube: KubeClient, store: ObjectStore[R], obj: R, status: Wire) -> R | None:
    """Write a status where it differs, and keep the store in step with what came of it.

    Returns:
        The object as stored; None where it is gone, and then the store has it no longer.

    Raises:
        Conflict: The object changed or was recreated since ``obj`` was read.
        KubeError: The API server refused or is away.
    """
    try:
        written = await kube.update_status(obj, status)
    except NotFound:
        store.remove(obj.key, obj.metadata.uid)
        return None
    store.upsert(written)
    return written
