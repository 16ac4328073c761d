"""The archive of rollouts: what stays when the custom resources are gone."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import and_, select

from hydracore_history import revisions
from hydracore_history.database import Database
from hydracore_history.records import ArchivedRollout, ArchivedTarget
from hydracore_history.tables import ArchivedRolloutRow, ArchivedTargetRow, ArchiveHead

_IS_HEAD = and_(
    ArchiveHead.uid == ArchivedRolloutRow.uid, ArchiveHead.revision == ArchivedRolloutRow.revision
)


class RolloutArchive:
    """Archives rollouts with their targets, and reads the newest revision of each.

    Archiving again adds a revision if anything differs; nothing that was stored is changed.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def archive(
        self,
        rollout: dict[str, Any],
        targets: Sequence[dict[str, Any]],
        *,
        tenant_id: str,
        namespace: str,
        uid: str,
        at: datetime,
    ) -> None:
        """Store a Rollout and its RolloutTargets in their wire form."""
        head = revisions.advance(
            self._database, ArchiveHead, uid, revisions.digest([rollout, *targets])
        )
        async with self._database.write() as session:
            revision = await session.scalar(head)
            if revision is None:
                return
            session.add(
                ArchivedRolloutRow(
                    uid=uid,
                    revision=revision,
                    tenant_id=tenant_id,
                    namespace=namespace,
                    name=rollout["metadata"]["name"],
                    created_at=revisions.created_at(rollout, at),
                    archived_at=at,
                    rollout=rollout,
                )
            )
            await session.flush()
            session.add_all([_target_row(wire, uid, revision, at) for wire in targets])

    async def holds(
        self, rollout: dict[str, Any], targets: Sequence[dict[str, Any]], *, uid: str
    ) -> bool:
        """Return whether the newest revision, read back, is exactly this."""
        found = await self.get(uid)
        if found is None:
            return False
        stored = [found.rollout, *(one.wire for one in found.targets)]
        return revisions.digest(stored) == revisions.digest([rollout, *targets])

    async def list(
        self,
        namespace: str,
        limit: int,
        offset: int,
        *,
        tenant_id: str,
        without: Collection[str] = (),
    ) -> list[ArchivedRollout]:
        """Return a tenant's archived rollouts without their targets, newest first.

        Those of one second are ordered by their uids, backwards too.

        Args:
            namespace: The tenant's namespace.
            limit: At most so many.
            offset: Leave out so many of the newest.
            tenant_id: Whose they were; a namespace's name may come to another tenant.
            without: uids to leave out (those still live).
        """
        query = (
            select(ArchivedRolloutRow)
            .join(ArchiveHead, _IS_HEAD)
            .where(
                ArchivedRolloutRow.namespace == namespace,
                ArchivedRolloutRow.tenant_id == tenant_id,
            )
            .order_by(ArchivedRolloutRow.created_at.desc(), ArchivedRolloutRow.uid.desc())
            .limit(limit)
            .offset(offset)
        )
        if without:
            query = query.where(ArchivedRolloutRow.uid.not_in(list(without)))
        async with self._database.read() as session:
            return [_record(row, ()) for row in await session.scalars(query)]

    async def head(self, uid: str) -> ArchivedRollout | None:
        """Return an archived rollout without its targets, or None."""
        query = (
            select(ArchivedRolloutRow)
            .join(ArchiveHead, _IS_HEAD)
            .where(ArchivedRolloutRow.uid == uid)
        )
        async with self._database.read() as session:
            row = await session.scalar(query)
        return None if row is None else _record(row, ())

    async def get(self, uid: str) -> ArchivedRollout | None:
        """Return an archived rollout with its targets, or None."""
        newest = (
            select(ArchivedRolloutRow)
            .join(ArchiveHead, _IS_HEAD)
            .where(ArchivedRolloutRow.uid == uid)
        )
        async with self._database.read() as session:
            row = await session.scalar(newest)
            if row is None:
                return None
            query = (
                select(ArchivedTargetRow)
                .where(
                    ArchivedTargetRow.rollout_uid == uid,
                    ArchivedTargetRow.revision == row.revision,
                )
                .order_by(ArchivedTargetRow.position, ArchivedTargetRow.uid)
            )
            targets = tuple(_target(found) for found in await session.scalars(query))
        return _record(row, targets)

    async def targets_of_instance(
        self,
        namespace: str,
        instance_id: str,
        limit: int,
        offset: int,
        *,
        tenant_id: str,
        without: Collection[str] = (),
    ) -> Sequence[tuple[ArchivedTarget, ArchivedRollout]]:
        """Return an instance's archived targets with their rollouts, newest first.

        The arguments are those of :meth:`list`; ``without`` names the uids of targets.
        """
        query = (
            select(ArchivedTargetRow, ArchivedRolloutRow)
            .join(
                ArchivedRolloutRow,
                and_(
                    ArchivedRolloutRow.uid == ArchivedTargetRow.rollout_uid,
                    ArchivedRolloutRow.revision == ArchivedTargetRow.revision,
                ),
            )
            .join(ArchiveHead, _IS_HEAD)
            .where(
                ArchivedTargetRow.instance_id == instance_id,
                ArchivedRolloutRow.namespace == namespace,
                ArchivedRolloutRow.tenant_id == tenant_id,
            )
            .order_by(ArchivedTargetRow.created_at.desc(), ArchivedTargetRow.uid.desc())
            .limit(limit)
            .offset(offset)
        )
        if without:
            query = query.where(ArchivedTargetRow.uid.not_in(list(without)))
        async with self._database.read() as session:
            found = (await session.execute(query)).all()
        return [(_target(target), _record(rollout, ())) for target, rollout in found]


def _target_row(
    wire: dict[str, Any], rollout_uid: str, revision: int, at: datetime
) -> ArchivedTargetRow:
    return ArchivedTargetRow(
        rollout_uid=rollout_uid,
        revision=revision,
        uid=wire["metadata"]["uid"],
        instance_id=wire["spec"]["instanceId"],
        position=wire["spec"]["order"],
        created_at=revisions.created_at(wire, at),
        wire=wire,
    )


def _target(row: ArchivedTargetRow) -> ArchivedTarget:
    return ArchivedTarget(
        uid=row.uid,
        rollout_uid=row.rollout_uid,
        instance_id=row.instance_id,
        created_at=row.created_at,
        wire=row.wire,
    )


def _record(row: ArchivedRolloutRow, targets: tuple[ArchivedTarget, ...]) -> ArchivedRollout:
    return ArchivedRollout(
        uid=row.uid,
        tenant_id=row.tenant_id,
        namespace=row.namespace,
        name=row.name,
        created_at=row.created_at,
        archived_at=row.archived_at,
        rollout=row.rollout,
        targets=targets,
    )
