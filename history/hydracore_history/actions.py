"""The archive of InstanceActions: what stays when the custom resources are gone."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import and_, select

from hydracore_history import revisions
from hydracore_history.database import Database
from hydracore_history.records import ArchivedAction
from hydracore_history.tables import ActionArchiveHead, ArchivedActionRow

_IS_HEAD = and_(
    ActionArchiveHead.uid == ArchivedActionRow.uid,
    ActionArchiveHead.revision == ArchivedActionRow.revision,
)


class ActionArchive:
    """Archives InstanceActions, and reads the newest revision of each.

    Archiving again adds a revision if anything differs (an uncertain action that was settled
    later); nothing that was stored is changed.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def archive(
        self,
        wire: dict[str, Any],
        *,
        tenant_id: str,
        namespace: str,
        uid: str,
        at: datetime,
        instance_id: str | None = None,
    ) -> None:
        """Store an InstanceAction in its wire form.

        Args:
            wire: The custom resource; ``spec.instanceName`` says which Instance it was for.
            tenant_id: The tenant.
            namespace: The tenant's namespace.
            uid: ``metadata.uid`` of the InstanceAction.
            at: The time of archiving, aware.
            instance_id: The Instance's id, so that a later namesake inherits nothing; None where
                it is not known.
        """
        head = revisions.advance(self._database, ActionArchiveHead, uid, revisions.digest([wire]))
        async with self._database.write() as session:
            revision = await session.scalar(head)
            if revision is None:
                return
            session.add(
                ArchivedActionRow(
                    uid=uid,
                    revision=revision,
                    tenant_id=tenant_id,
                    namespace=namespace,
                    name=wire["metadata"]["name"],
                    instance_name=wire["spec"]["instanceName"],
                    instance_id=instance_id,
                    created_at=revisions.created_at(wire, at),
                    archived_at=at,
                    wire=wire,
                )
            )

    async def holds(self, wire: dict[str, Any], *, uid: str) -> bool:
        """Return whether the newest revision, read back, is exactly this."""
        found = await self.get(uid)
        return found is not None and revisions.digest([found.wire]) == revisions.digest([wire])

    async def list(
        self,
        namespace: str,
        limit: int,
        offset: int,
        *,
        instance_id: str | None = None,
        without: Collection[str] = (),
    ) -> list[ArchivedAction]:
        """Return a namespace's archived actions, newest first.

        Args:
            namespace: The tenant's namespace.
            limit: At most so many.
            offset: Leave out so many of the newest.
            instance_id: Only those of this Instance.
            without: uids to leave out (those still live).
        """
        query = (
            select(ArchivedActionRow)
            .join(ActionArchiveHead, _IS_HEAD)
            .where(ArchivedActionRow.namespace == namespace)
            .order_by(ArchivedActionRow.created_at.desc(), ArchivedActionRow.uid)
            .limit(limit)
            .offset(offset)
        )
        if instance_id is not None:
            query = query.where(ArchivedActionRow.instance_id == instance_id)
        if without:
            query = query.where(ArchivedActionRow.uid.not_in(list(without)))
        async with self._database.read() as session:
            return [_record(row) for row in await session.scalars(query)]

    async def get(self, uid: str) -> ArchivedAction | None:
        """Return an archived action, or None."""
        query = (
            select(ArchivedActionRow)
            .join(ActionArchiveHead, _IS_HEAD)
            .where(ArchivedActionRow.uid == uid)
        )
        async with self._database.read() as session:
            row = await session.scalar(query)
        return None if row is None else _record(row)


def _record(row: ArchivedActionRow) -> ArchivedAction:
    return ArchivedAction(
        uid=row.uid,
        tenant_id=row.tenant_id,
        namespace=row.namespace,
        name=row.name,
        instance_name=row.instance_name,
        instance_id=row.instance_id,
        created_at=row.created_at,
        archived_at=row.archived_at,
        wire=row.wire,
    )
