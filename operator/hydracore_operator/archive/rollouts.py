"""How Rollouts are archived: with their targets, and what they did is never done again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from hydracore_core.executions import spec_hash
from hydracore_core.rollouts.expiry import has_begun, still_needed
from hydracore_crds import Rollout, RolloutTarget
from hydracore_crds.rollout import FINAL_STATES, RolloutStatus
from hydracore_kube import NotFound, ObjectStore
from hydracore_operator.archive.kinds import NotKeptError, made_here
from hydracore_operator.archive.plain import plain, plain_all, waits
from hydracore_operator.archive.steps import records, tenant_of
from hydracore_operator.context import Context

_NEVER = datetime.min.replace(tzinfo=UTC)


class RolloutArchiver:
    """Archives Rollouts; see :class:`hydracore_operator.archive.kinds.Archivable`."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx

    @property
    def store(self) -> ObjectStore[Rollout]:
        """The last known Rollouts."""
        return self._ctx.stores.rollouts

    def ended_at(self, obj: Rollout) -> datetime | None:
        """Return when it was finished; a retry or late evidence makes it later, or None."""
        return obj.status.completed_at if obj.status.state in FINAL_STATES else None

    def needed(self, obj: Rollout) -> str | None:
        """Return why it must stay: late evidence, or an older rollout that it keeps at bay."""
        namespace = obj.metadata.namespace or ""
        stores = self._ctx.stores
        return still_needed(
            obj,
            stores.rollouts.in_namespace(namespace),
            stores.targets.in_namespace(namespace),
            now=self._ctx.now(),
        )

    def surplus(self, obj: Rollout) -> bool:
        """Whether enough of its tenant's have ended after it; of two at once, by their uids."""
        mine, keep = self._end(obj), self._ctx.settings.finished_keep
        newer = 0
        for other in self.store.in_namespace(obj.metadata.namespace or ""):
            if made_here(other) and not other.deleting and self._end(other) > mine:
                newer += 1
        return newer >= keep

    async def known(self, obj: Rollout) -> bool:
        """Whether the newest revision has this status; its counts say what its targets are."""
        found = await self._ctx.history.rollouts.head(obj.metadata.uid)
        return found is not None and found.rollout == plain(obj)

    async def save(self, obj: Rollout) -> None:
        """Store it with its targets as the API server has them, and read them back.

        Raises:
            HistoryUnavailable: History is locked or away.
            NotKeptError: What was read back is something else.
            NotFound: The rollout is gone, so that its targets are going too: what was archived
                before is more than what could be archived now.
            KubeError: The targets could not be listed.
        """
        targets = await self._targets(obj)
        await self._still_there(obj)
        history, metadata = self._ctx.history, obj.metadata
        namespace = metadata.namespace or ""
        if has_begun(obj, targets):
            await history.executions.begin(
                kind=Rollout.KIND.kind,
                namespace=namespace,
                name=metadata.name,
                spec_hash=spec_hash(obj.spec),
                uid=metadata.uid,
                at=obj.status.started_at or self._ctx.now(),
            )
        tenant_id = tenant_of(self._ctx.stores, namespace)
        await self._keep_trail(obj, targets, tenant_id)
        wire, wires = plain(obj), await plain_all(targets)
        await history.rollouts.archive(
            wire,
            wires,
            tenant_id=tenant_id,
            namespace=namespace,
            uid=metadata.uid,
            at=self._ctx.now(),
        )
        if not await history.rollouts.holds(wire, wires, uid=metadata.uid):
            raise NotKeptError(
                f"Rollout {obj.key} was archived, but reads back as something else: another "
                "operator archives it too, or the database loses writes; it is tried again"
            )

    def waiting(self, obj: Rollout, message: str, now: datetime) -> RolloutStatus | None:
        """Return its status with the condition Archived=False."""
        status, generation = obj.status, obj.metadata.generation
        found = waits(status.conditions, message, now=now, generation=generation)
        return None if found is None else status.model_copy(update={"conditions": found})

    def _end(self, obj: Rollout) -> tuple[datetime, str]:
        return self.ended_at(obj) or _NEVER, obj.metadata.uid

    async def _keep_trail(
        self, obj: Rollout, targets: Sequence[RolloutTarget], tenant_id: str
    ) -> None:
        """Have all steps of a rollout and its targets in history's log.

        Raises:
            HistoryUnavailable: History is locked or away.
            NotKeptError: They are not there although they were stored.
        """
        uid, log = obj.metadata.uid, self._ctx.history.transitions
        everything: list[Rollout | RolloutTarget] = [obj, *targets]
        steps = [one for own in everything for one in records(own, uid, tenant_id)]
        missing = await log.missing(uid, steps)
        await log.record(missing)
        if missing and await log.missing(uid, missing):
            raise NotKeptError(
                f"steps of Rollout {obj.key} were stored and are not there: the database loses "
                "writes; it is tried again"
            )

    async def _targets(self, obj: Rollout) -> Sequence[RolloutTarget]:
        """List its own targets afresh: what is removed must not be older than what is kept."""
        name, uid = obj.metadata.name, obj.metadata.uid
        found, _ = await self._ctx.kube.list(
            RolloutTarget, obj.metadata.namespace, field_selector=f"spec.rolloutName={name}"
        )
        own = [t for t in found if any(o.uid == uid for o in t.metadata.owner_references)]
        return sorted(own, key=lambda t: (t.spec.order, t.metadata.name))

    async def _still_there(self, obj: Rollout) -> None:
        """Look at it after its targets were listed: only while it is there is the list whole.

        Raises:
            NotFound: It is gone; one of the same name is another.
        """
        metadata = obj.metadata
        fresh = await self._ctx.kube.get(Rollout, metadata.name, metadata.namespace)
        if fresh.metadata.uid != metadata.uid:
            raise NotFound(f"Rollout {obj.key} of uid {metadata.uid} is gone; another has its name")
