"""Enrolment: the bootstrap token's hash, and the agent key's once it has been issued."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, select, update

from hydracore_history.database import Database
from hydracore_history.records import Credential, StageReport
from hydracore_history.stages import report_of
from hydracore_history.tables import CredentialRow, StageRow


class Credentials:
    """Arms bootstrap tokens, issues agent keys once, and finds both again by their hashes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def arm(self, instance_id: str, *, namespace: str, name: str, token_hash: str) -> None:
        """Make a bootstrap token good.

        The same hash again changes nothing, also after the token ended. A new hash re-arms: the
        old token and the agent key end, so that a key can be issued again.
        """
        fresh = {
            "namespace": namespace,
            "name": name,
            "token_hash": token_hash,
            "armed": True,
            "key_hash": None,
            "public_key": None,
            "issued_at": None,
            "first_heartbeat_at": None,
        }
        statement = self._database.insert(CredentialRow).values(instance_id=instance_id, **fresh)
        statement = statement.on_conflict_do_update(
            index_elements=[CredentialRow.instance_id],
            set_=fresh,
            where=CredentialRow.token_hash != token_hash,
        )
        async with self._database.write() as session:
            await session.execute(statement)

    async def get(self, instance_id: str) -> Credential | None:
        """Return an instance's credential, or None."""
        async with self._database.read() as session:
            row = await session.get(CredentialRow, instance_id)
        return _record(row)

    async def with_stage(self, instance_id: str) -> tuple[Credential | None, StageReport | None]:
        """Return an instance's credential and its newest stage report, as of one moment."""
        async with self._database.read() as session:
            credential = await session.get(CredentialRow, instance_id)
            stage = await session.get(StageRow, instance_id)
        return _record(credential), report_of(stage)

    async def by_token_hash(self, token_hash: str) -> Credential | None:
        """Return whose bootstrap token this is; None if unknown or ended."""
        query = select(CredentialRow).where(
            CredentialRow.token_hash == token_hash, CredentialRow.armed
        )
        async with self._database.read() as session:
            return _record(await session.scalar(query))

    async def by_key_hash(self, key_hash: str) -> Credential | None:
        """Return whose agent key this is, or None."""
        query = select(CredentialRow).where(CredentialRow.key_hash == key_hash)
        async with self._database.read() as session:
            return _record(await session.scalar(query))

    async def issue_key(
        self, instance_id: str, *, key_hash: str, public_key: str, at: datetime
    ) -> bool:
        """Store the agent key's hash and the agent's identity if none is stored yet.

        Returns:
            Whether this call stored it; False means that a key was issued before, or that the
            bootstrap token has ended.
        """
        statement = (
            update(CredentialRow)
            .where(
                CredentialRow.instance_id == instance_id,
                CredentialRow.key_hash.is_(None),
                CredentialRow.armed,
            )
            .values(key_hash=key_hash, public_key=public_key, issued_at=at)
            .returning(CredentialRow.instance_id)
        )
        async with self._database.write() as session:
            return await session.scalar(statement) is not None

    async def rearm(self, instance_id: str) -> bool:
        """End the agent key and make the bootstrap token good again, so that one may be issued.

        The agent's identity stays until an enrolment brings another one: the agent's answers can
        be trusted meanwhile. Safe to repeat.

        Returns:
            Whether the instance has a credential.
        """
        statement = (
            update(CredentialRow)
            .where(CredentialRow.instance_id == instance_id)
            .values(key_hash=None, issued_at=None, armed=True, first_heartbeat_at=None)
            .returning(CredentialRow.instance_id)
        )
        async with self._database.write() as session:
            return await session.scalar(statement) is not None

    async def disarm(self, instance_id: str, at: datetime, *, key_hash: str | None = None) -> None:
        """End the bootstrap token: the agent called with its key. Only the first call counts.

        Args:
            instance_id: The instance.
            at: When it called.
            key_hash: Of the key that it called with; nothing changes if that key has ended
                meanwhile, since its server needs the token for the next one.
        """
        statement = (
            update(CredentialRow)
            .where(CredentialRow.instance_id == instance_id, CredentialRow.armed)
            .values(armed=False, first_heartbeat_at=at)
        )
        if key_hash is not None:
            statement = statement.where(CredentialRow.key_hash == key_hash)
        async with self._database.write() as session:
            await session.execute(statement)

    async def remove(self, instance_id: str) -> None:
        """Forget an instance's credential; unknown ones are no error."""
        statement = delete(CredentialRow).where(CredentialRow.instance_id == instance_id)
        async with self._database.write() as session:
            await session.execute(statement)


def _record(row: CredentialRow | None) -> Credential | None:
    if row is None:
        return None
    return Credential(
        instance_id=row.instance_id,
        namespace=row.namespace,
        name=row.name,
        token_hash=row.token_hash,
        key_hash=row.key_hash,
        public_key=row.public_key,
        armed=row.armed,
        issued_at=row.issued_at,
        first_heartbeat_at=row.first_heartbeat_at,
    )
