"""How InstanceActions are archived; what one did is never done again."""

from __future__ import annotations

from datetime import datetime

from hydracore_core.actions.plan import is_over, settle_by
from hydracore_crds import InstanceAction
from hydracore_crds.instance_action import FINISHED_STATES, InstanceActionStatus
from hydracore_kube import ObjectStore
from hydracore_operator.archive.kinds import NotKeptError
from hydracore_operator.archive.plain import plain, waits
from hydracore_operator.context import Context


class ActionArchiver:
    """Archives InstanceActions; see :class:`hydracore_operator.archive.kinds.Archivable`."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx

    @property
    def store(self) -> ObjectStore[InstanceAction]:
        """The last known InstanceActions."""
        return self._ctx.stores.actions

    def ended_at(self, obj: InstanceAction) -> datetime | None:
        """Return when it was finished; evidence that settles it later makes it another revision."""
        return obj.status.completed_at if obj.status.state in FINISHED_STATES else None

    def needed(self, obj: InstanceAction) -> str | None:
        """Return why it must stay: evidence of an uncertain outcome is still sought."""
        now = self._ctx.now()
        if not is_over(obj) and now < settle_by(obj, now):
            return "evidence of its outcome is still sought"
        return None

    def surplus(self, obj: InstanceAction) -> bool:
        """Their number is not bounded: each is small, and they go by their time."""
        del obj
        return False

    async def known(self, obj: InstanceAction) -> bool:
        """Whether the newest revision is this object."""
        return await self._ctx.history.actions.holds(plain(obj), uid=obj.metadata.uid)

    async def save(self, obj: InstanceAction) -> None:
        """Store it, and read it back.

        What has run has its row in ``executions`` since before it began.

        Raises:
            HistoryUnavailable: History is locked or away.
            NotKeptError: What was read back is something else.
        """
        history, metadata = self._ctx.history, obj.metadata
        namespace = metadata.namespace or ""
        tenant = self._ctx.stores.namespaces.get(namespace)
        wire = plain(obj)
        await history.actions.archive(
            wire,
            tenant_id=(tenant.tenant_id if tenant else None) or namespace,
            namespace=namespace,
            uid=metadata.uid,
            at=self._ctx.now(),
            instance_id=obj.status.instance_id,
        )
        if not await history.actions.holds(wire, uid=metadata.uid):
            raise NotKeptError(
                f"InstanceAction {obj.key} was archived, but reads back as something else: another "
                "operator archives it too, or the database loses writes; it is tried again"
            )

    def waiting(
        self, obj: InstanceAction, message: str, now: datetime
    ) -> InstanceActionStatus | None:
        """Return its status with the condition Archived=False."""
        status, generation = obj.status, obj.metadata.generation
        found = waits(status.conditions, message, now=now, generation=generation)
        return None if found is None else status.model_copy(update={"conditions": found})
