"""All tenants' ledgers as they are stored: what they say of epochs, and those nobody needs."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import structlog

from hydracore_crds.names import MANAGED_BY_LABEL
from hydracore_kube import Conflict, KubeClient, Namespace, NotFound, Where
from hydracore_operator.rollouts.allotments import EPOCH_ANNOTATION, PLATFORM_LEDGER
from hydracore_operator.rollouts.entries import decode
from hydracore_operator.rollouts.grants import grant_of
from hydracore_operator.rollouts.ledger import LEDGER_PREFIX, NAMESPACE_ANNOTATION, ledger_name

log = structlog.get_logger(__name__)


async def list_ledgers(kube: KubeClient, home: str) -> list[dict[str, Any]]:
    """Return the ConfigMaps of all ledgers in the operator's namespace ``home``.

    Raises:
        KubeError: They cannot be listed.
    """
    found = await _list(kube, home)
    return [item for item in found if str(item["metadata"]["name"]).startswith(LEDGER_PREFIX)]


async def highest_epoch(kube: KubeClient, home: str) -> int:
    """Return the highest epoch that has written a ledger in the operator's namespace ``home``.

    Raises:
        KubeError: They cannot be listed.
    """
    return max((claimed_epoch(item) for item in await _list(kube, home)), default=0)


async def _list(kube: KubeClient, home: str) -> list[dict[str, Any]]:
    place = Where("v1", "configmaps", home)
    found, _ = await kube.list_raw(place, label_selector=f"{MANAGED_BY_LABEL}=operator")
    return found


def claimed_epoch(ledger: dict[str, Any]) -> int:
    """Return the highest epoch that wrote this ledger; 0 if none can be read. Pure.

    A tenant's ledger has the epochs of claims and of the grant, the platform's that of its writer.
    """
    notes, name = ledger["metadata"].get("annotations") or {}, ledger["metadata"]["name"]
    if name == PLATFORM_LEDGER:
        text = str(notes.get(EPOCH_ANNOTATION, ""))
        return int(text) if text.isdecimal() else 0
    if not str(name).startswith(LEDGER_PREFIX):
        return 0
    found = 0
    with suppress(ValueError):
        grant = grant_of(notes)
        found = grant.epoch if grant is not None else 0
    for task, text in (ledger.get("data") or {}).items():
        try:
            found = max(found, decode({task: text})[task].epoch)
        except ValueError:
            continue  # its tenant's reconcile says so
    return found


async def remove_vanished(kube: KubeClient, home: str) -> list[str]:
    """Remove ledgers of namespaces that ended while nobody led; return their names.

    Nothing is left to settle in them: a namespace ends only after its Instances, whose servers go
    first. Where finalizers were stripped, an agent may still work on an order until its deadline;
    its slot bounds nothing any more, and the log says which it was.

    Ledgers are listed before namespaces: a ledger is only made for a namespace that is stored.

    Raises:
        KubeError: Something could not be read or removed; the next leader tries again.
    """
    ledgers = await list_ledgers(kube, home)
    namespaces, _ = await kube.list(Namespace)
    needed = {ledger_name(namespace.metadata.uid) for namespace in namespaces}
    removed = []
    for ledger in ledgers:
        metadata = ledger["metadata"]
        if metadata["name"] in needed:
            continue
        try:
            place = Where("v1", "configmaps", home, metadata["name"])
            await kube.delete_raw(place, uid=metadata["uid"])
        except (NotFound, Conflict):
            continue  # somebody else removed it
        removed.append(str(metadata["name"]))
        log.warning(
            "vanished_ledger_removed",
            ledger=metadata["name"],
            namespace=(metadata.get("annotations") or {}).get(NAMESPACE_ANNOTATION),
            orders=sorted(ledger.get("data") or {}),
        )
    return removed
