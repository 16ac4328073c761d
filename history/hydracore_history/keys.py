"""API keys: their keyed hashes and what they may do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime

from sqlalchemy import or_, select, update

from hydracore_history.database import Database
from hydracore_history.records import ApiKey
from hydracore_history.tables import ApiKeyRow


class Keys:
    """Creates, finds, lists, replaces and revokes API keys."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, key: ApiKey) -> ApiKey:
        """Store a new key's hash and rights, and return the record."""
        async with self._database.write() as session:
            session.add(_row(key))
        return key

    async def list(self, tenant_id: str) -> list[ApiKey]:
        """Return a tenant's keys, revoked ones too, newest first."""
        query = (
            select(ApiKeyRow)
            .where(ApiKeyRow.tenant_id == tenant_id)
            .order_by(ApiKeyRow.created_at.desc(), ApiKeyRow.id)
        )
        async with self._database.read() as session:
            return [_record(row) for row in await session.scalars(query)]

    async def named(self, name_or_id: str) -> Sequence[ApiKey]:
        """Return the keys with this id or name that are not revoked and have no end."""
        query = select(ApiKeyRow).where(
            or_(ApiKeyRow.id == name_or_id, ApiKeyRow.name == name_or_id),
            ApiKeyRow.revoked_at.is_(None),
            ApiKeyRow.expires_at.is_(None),
        )
        async with self._database.read() as session:
            return [_record(row) for row in await session.scalars(query)]

    async def replace(self, key_id: str, successor: ApiKey, *, expires_at: datetime) -> bool:
        """Store a key's successor and the key's own end, both or neither.

        Returns:
            False, and nothing is stored, if the key is unknown, revoked or has an end already.
        """
        ending = (
            update(ApiKeyRow)
            .where(
                ApiKeyRow.id == key_id,
                ApiKeyRow.revoked_at.is_(None),
                ApiKeyRow.expires_at.is_(None),
            )
            .values(expires_at=expires_at)
            .returning(ApiKeyRow.id)
        )
        async with self._database.write() as session:
            ended = await session.scalar(ending) is not None
            if ended:
                session.add(_row(successor))
        return ended

    async def by_hash(self, key_hash: str) -> ApiKey | None:
        """Return the key with this hash, also when it is revoked or at its end, or None."""
        query = select(ApiKeyRow).where(ApiKeyRow.key_hash == key_hash)
        async with self._database.read() as session:
            row = await session.scalar(query)
        return _record(row) if row is not None else None

    async def touch(self, key_id: str, at: datetime) -> None:
        """Store when a key was last used."""
        statement = update(ApiKeyRow).where(ApiKeyRow.id == key_id).values(last_used_at=at)
        async with self._database.write() as session:
            await session.execute(statement)

    async def revoke(self, key_id: str, at: datetime) -> bool:
        """Revoke a key; False if it is unknown or was revoked before."""
        statement = (
            update(ApiKeyRow)
            .where(ApiKeyRow.id == key_id, ApiKeyRow.revoked_at.is_(None))
            .values(revoked_at=at)
            .returning(ApiKeyRow.id)
        )
        async with self._database.write() as session:
            return await session.scalar(statement) is not None


def _row(key: ApiKey) -> ApiKeyRow:
    return ApiKeyRow(**{**asdict(key), "scopes": list(key.scopes)})


def _record(row: ApiKeyRow) -> ApiKey:
    return ApiKey(
        id=row.id,
        tenant_id=row.tenant_id,
        namespace=row.namespace,
        name=row.name,
        prefix=row.prefix,
        key_hash=row.key_hash,
        scopes=tuple(row.scopes),
        admin=row.admin,
        tenant_wide=row.tenant_wide,
        created_by=row.created_by,
        created_at=row.created_at,
        last_used_at=row.last_used_at,
        revoked_at=row.revoked_at,
        expires_at=row.expires_at,
    )
