"""Finds out what is in flight over all tenants, and puts every tenant's ledger under the cap.

So it is when a cap is introduced, when another operator takes over, and where the platform's ledger
is not what it was. What is in flight already is allotted whatever the cap is; nobody gets a slot
beyond that before all are counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from hydracore_crds import RolloutTarget
from hydracore_kube import Namespace
from hydracore_operator.context import Context
from hydracore_operator.rollouts.allotments import Allotment, Allotments
from hydracore_operator.rollouts.grants import GRANT_ANNOTATION, Grant, grant_of
from hydracore_operator.rollouts.ledger import NAMESPACE_ANNOTATION, ledger_name
from hydracore_operator.rollouts.ledgers import list_ledgers
from hydracore_operator.rollouts.stored_map import StoredMap
from hydracore_operator.rollouts.writes import bounded

AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class _Found:
    """A tenant as its ledger shows it."""

    uid: str
    namespace: str
    used: int
    granted: bool
    ledger: Mapping[str, Any] | None


async def call_roll(ctx: Context, allotments: Allotments, epoch: int) -> None:
    """Allot what is in flight, then write a grant on every ledger that has none.

    Namespaces are listed after the allotments were read: a leader before us has granted nothing to
    one that is not there by then.

    Raises:
        LedgerMovedError: A ledger was written meanwhile: call again.
        KubeError: Something could not be read or written: call again.
        UnreadableLedgerError: The platform's ledger cannot be read.
    """
    await allotments.load()
    if allotments.epoch > epoch:
        return
    home = ctx.settings.operator_namespace
    ledgers = {str(raw["metadata"]["name"]): raw for raw in await list_ledgers(ctx.kube, home)}
    namespaces, _ = await ctx.kube.list(Namespace)
    tenants = [
        _look(ctx, found, ledgers.get(ledger_name(found.metadata.uid))) for found in namespaces
    ]
    gone = set(allotments.tenants) - {found.uid for found in tenants}
    kept = {
        found.uid: Allotment(found.namespace, max(found.used, allotments.slots(found.uid)))
        for found in tenants
    }
    await allotments.allot(kept | {uid: Allotment("", 0) for uid in gone}, epoch=epoch)
    bare = [found for found in tenants if not found.granted]
    jobs = [partial(_fence, ctx, found, epoch) for found in bare]
    for result in await bounded(jobs, at_once=AT_ONCE):
        if isinstance(result, Exception):
            raise result


def _look(ctx: Context, namespace: Namespace, ledger: Mapping[str, Any] | None) -> _Found:
    """Count what a tenant has in flight. A ledger that cannot be read counts in full."""
    name, uid = namespace.metadata.name, namespace.metadata.uid
    tasks = set((ledger or {}).get("data") or {})
    tasks |= _in_progress(ctx.stores.targets.in_namespace(name))
    notes = (ledger["metadata"].get("annotations") or {}) if ledger is not None else {}
    try:
        grant = grant_of(notes)
    except ValueError:
        grant = None  # its tenant's reconcile says so, and starts nothing
    used = max(len(tasks), grant.slots if grant is not None else 0)
    # A namespace that is no tenant and has no ledger will hardly get one.
    granted = GRANT_ANNOTATION in notes or (ledger is None and namespace.tenant_id is None)
    return _Found(uid, name, used, granted, ledger)


def _in_progress(targets: Iterable[RolloutTarget]) -> set[str]:
    """Return orders that may be out, also where the ledger was lost."""
    return {
        target.status.task_id
        for target in targets
        if target.status.state == "in_progress" and target.status.task_id is not None
    }


async def _fence(ctx: Context, found: _Found, epoch: int) -> None:
    """Write the grant; the claims of whoever does not know the cap yet fail from then on."""
    home = ctx.settings.operator_namespace
    stored = StoredMap(ctx.kube, home=home, name=ledger_name(found.uid))
    if found.ledger is not None:
        stored.take(found.ledger)
    grant = Grant(found.used, epoch).to_text()
    notes = {NAMESPACE_ANNOTATION: found.namespace, GRANT_ANNOTATION: grant}
    await stored.swap(stored.data, notes)
