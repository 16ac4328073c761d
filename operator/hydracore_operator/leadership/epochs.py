"""The highest epoch that ever led, on record apart from the Lease.

Agents refuse orders of an epoch lower than one they have heard. A Lease that is deleted while no
operator runs would count from 1 again, and every order would be refused. So each leader writes
its epoch into a ConfigMap before it works, and a new leadership begins above what stands there
and above the epochs that have written ledgers of slots.
"""

from __future__ import annotations

from typing import Any

import structlog

from hydracore_crds.names import MANAGED_BY_LABEL
from hydracore_kube import AlreadyExists, Conflict, KubeClient, NotFound, Where
from hydracore_operator.context import NotLeader
from hydracore_operator.rollouts.ledgers import highest_epoch

RECORD_NAME = "hydracore-operator-epoch"
_KEY = "epoch"
_CONFLICTS = 5

log = structlog.get_logger(__name__)


class EpochRecord:
    """The record of one installation, in the operator's namespace."""

    def __init__(self, kube: KubeClient, namespace: str) -> None:
        self._kube = kube
        self._namespace = namespace
        self._place = Where("v1", "configmaps", namespace, RECORD_NAME)

    async def floor(self) -> int:
        """Return the highest epoch on record; 0 if there is none.

        Raises:
            KubeError: It cannot be read.
        """
        try:
            stored = _epoch_in(await self._kube.get_raw(self._place))
        except NotFound:
            stored = 0
        return max(stored, await highest_epoch(self._kube, self._namespace))

    async def remember(self, epoch: int) -> None:
        """Store an epoch before anything is done under it.

        Raises:
            NotLeader: A higher epoch is on record already: another process leads by now.
            KubeError: It is not stored, or (Unavailable) unknown.
        """
        for _ in range(_CONFLICTS):
            try:
                found = await self._kube.get_raw(self._place)
            except NotFound:
                found = None
            if found is not None and _epoch_in(found) >= epoch:
                if _epoch_in(found) > epoch:
                    raise NotLeader(f"epoch {_epoch_in(found)} is on record, this is {epoch}")
                return
            try:
                await self._write(found, epoch)
            except (AlreadyExists, Conflict, NotFound):
                continue  # another writer was faster: look at what it wrote
            return
        raise Conflict(
            f"ConfigMap {self._namespace}/{RECORD_NAME}: {_CONFLICTS} conflicts in a row"
        )

    async def _write(self, found: dict[str, Any] | None, epoch: int) -> None:
        metadata: dict[str, Any] = {"name": RECORD_NAME, "namespace": self._namespace}
        metadata["labels"] = {MANAGED_BY_LABEL: "operator"}
        body = {"apiVersion": "v1", "kind": "ConfigMap", "data": {_KEY: str(epoch)}}
        if found is None:
            place = Where("v1", "configmaps", self._namespace)
            await self._kube.create_raw(place, {**body, "metadata": metadata})
            return
        metadata["resourceVersion"] = found["metadata"]["resourceVersion"]
        await self._kube.replace_raw(self._place, {**body, "metadata": metadata})


def _epoch_in(record: dict[str, Any]) -> int:
    text = (record.get("data") or {}).get(_KEY, "")
    if not text.isdigit():
        # Somebody edited it. The Lease and the ledgers still count; the next leader mends it.
        log.warning("epoch_record_unreadable", name=RECORD_NAME, text=text[:40])
        return 0
    return int(text)
