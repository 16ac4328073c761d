"""An object as it goes into history: what it was, without what only matters in the cluster."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from hydracore_crds import Resource, conditions
from hydracore_crds.base import Condition, find, set_condition

_METADATA = ("name", "namespace", "uid", "creationTimestamp", "labels", "ownerReferences")
_BULKY = "kubectl.kubernetes.io/last-applied-configuration"
_BREATH = 100


def plain(obj: Resource) -> dict[str, Any]:
    """Return an object's wire form for history.

    Left out is what its removal changes (resourceVersion, generation, deletion, finalizers, the
    condition Archived), so that an object that has not changed since is the same revision.
    """
    wire = obj.to_wire()
    metadata = {key: wire["metadata"][key] for key in _METADATA if key in wire["metadata"]}
    annotations = {k: v for k, v in obj.metadata.annotations.items() if k != _BULKY}
    if annotations:
        metadata["annotations"] = annotations
    status = dict(wire.get("status", {}))
    status.pop("observedGeneration", None)
    if "conditions" in status:
        status["conditions"] = [
            {key: value for key, value in one.items() if key != "observedGeneration"}
            for one in status["conditions"]
            if one["type"] != conditions.ARCHIVED
        ]
    return {**wire, "metadata": metadata, "status": status}


async def plain_all(objects: Iterable[Resource]) -> list[dict[str, Any]]:
    """Return many in their order, without keeping other work from going on meanwhile."""
    found = []
    for number, obj in enumerate(objects, start=1):
        found.append(plain(obj))
        if number % _BREATH == 0:
            await asyncio.sleep(0)
    return found


def waits(
    known: list[Condition], message: str, *, now: datetime, generation: int
) -> list[Condition] | None:
    """Return the conditions with Archived=False, HistoryUnavailable; None if it stands there."""
    old = find(known, conditions.ARCHIVED)
    if old is not None and (old.status, old.message) == ("False", message):
        return None
    return set_condition(
        known,
        conditions.ARCHIVED,
        "False",
        reason=conditions.HISTORY_UNAVAILABLE,
        message=message,
        now=now,
        generation=generation,
    )
