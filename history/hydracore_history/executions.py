"""What has begun: the memory that keeps a restore or a re-sync from running anything twice."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Select, select

from hydracore_history.database import Database
from hydracore_history.records import Execution
from hydracore_history.tables import ExecutionRow


class Executions:
    """Remembers for which object a piece of work began; the first one stays."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin(
        self, *, kind: str, namespace: str, name: str, spec_hash: str, uid: str, at: datetime
    ) -> Execution:
        """Remember that this object's work begins, unless the same work began before.

        Call it before anything irrevocable. Repeating it changes nothing.

        Returns:
            The row that stands. Another ``uid`` than that of the call means that the work
            already ran for a former object: it must not begin again.
        """
        values = {"kind": kind, "namespace": namespace, "name": name, "spec_hash": spec_hash}
        statement = self._database.insert(ExecutionRow).values(**values, uid=uid, started_at=at)
        async with self._database.write() as session:
            await session.execute(statement.on_conflict_do_nothing())
            row = await session.scalar(_query(kind, namespace, name, spec_hash))
        if row is None:
            raise RuntimeError(
                f"the execution of {kind} {namespace}/{name} is gone right after it was stored: "
                "someone deletes rows of the table executions, which must stay"
            )
        return _record(row)

    async def get(
        self, *, kind: str, namespace: str, name: str, spec_hash: str
    ) -> Execution | None:
        """Return for which object this work began, or None if it never did."""
        async with self._database.read() as session:
            row = await session.scalar(_query(kind, namespace, name, spec_hash))
        return None if row is None else _record(row)


def _query(kind: str, namespace: str, name: str, spec_hash: str) -> Select[ExecutionRow]:
    return select(ExecutionRow).where(
        ExecutionRow.kind == kind,
        ExecutionRow.namespace == namespace,
        ExecutionRow.name == name,
        ExecutionRow.spec_hash == spec_hash,
    )


def _record(row: ExecutionRow) -> Execution:
    return Execution(
        kind=row.kind,
        namespace=row.namespace,
        name=row.name,
        spec_hash=row.spec_hash,
        uid=row.uid,
        started_at=row.started_at,
    )
