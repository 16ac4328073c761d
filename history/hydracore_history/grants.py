"""What a PostgreSQL role needs for daily work, and no more: derived from each table's rule.

The owner of the tables runs migrations. Operator, API and CLI can do with a role that can neither
change a fact nor switch off what guards it, since it owns nothing.
"""

from __future__ import annotations

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql

from hydracore_history.database import Database
from hydracore_history.tables import APPEND_ONLY, RULE, WRITE_ONCE, Base

_VERSION_TABLE = "alembic_version"


def statements(role: str) -> list[str]:
    """Return the SQL that gives a role exactly its rights on this version's tables.

    Args:
        role: Name of a role that exists and owns nothing here.
    """
    name = postgresql.dialect().identifier_preparer.quote_identifier(role)  # type: ignore[no-untyped-call]
    found = [
        f"REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {name}",
        f"GRANT USAGE ON SCHEMA public TO {name}",
        f"GRANT SELECT ON {_VERSION_TABLE} TO {name}",
    ]
    tables = Base.metadata.sorted_tables
    return [*found, *(f"GRANT {', '.join(_rights(t))} ON {t.name} TO {name}" for t in tables)]


async def grant(database: Database, role: str) -> None:
    """Give a role its rights; safe to repeat.

    Raises:
        ValueError: The database has no roles (SQLite).
        HistoryUnavailable: It is locked or away.
    """
    if database.dialect != "postgresql":
        raise ValueError("only PostgreSQL has roles: the embedded database is its folder's owner's")
    async with database.connection() as connection:
        for statement in statements(role):
            await connection.exec_driver_sql(statement)


def _rights(table: Table) -> tuple[str, ...]:
    rule = table.info[RULE]
    if rule == APPEND_ONLY["info"][RULE]:
        return ("SELECT", "INSERT")
    if rule == WRITE_ONCE["info"][RULE]:
        late = ", ".join(column.name for column in table.columns if column.nullable)
        return ("SELECT", "INSERT", f"UPDATE ({late})")
    return ("SELECT", "INSERT", "UPDATE", "DELETE")
