"""Runs the Alembic migrations of this package, without a configuration file."""

from __future__ import annotations

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from hydracore_history.database import Database
from hydracore_history.errors import SchemaOutdated

_LOCK_ID = 0x48594452
"""PostgreSQL advisory lock under which one process at a time migrates."""


def config() -> Config:
    """Return Alembic's configuration for this package's migrations."""
    found = Config()
    found.set_main_option("script_location", "hydracore_history:migrations")
    return found


def head() -> str:
    """Return the newest revision."""
    revision = ScriptDirectory.from_config(config()).get_current_head()
    if revision is None:
        raise RuntimeError("hydracore_history has no migrations: the package is incomplete")
    return revision


async def current(database: Database) -> str | None:
    """Return the database's revision; None for an empty one."""
    async with database.read() as session:
        connection = await session.connection()
        return await connection.run_sync(_revision)


def explain(database: Database, found: str | None) -> str | None:
    """Return what is wrong with a database at this revision and what to do; None if nothing is."""
    if found == head():
        return None
    where = f"the database {database.shown_url} is at revision {found or 'none'}"
    if found is not None and found not in _known():
        return (
            f"{where}, which this version does not know: a newer HydraCore has migrated it. Run "
            "that version, or restore a backup made before"
        )
    return f"{where}, this version needs {head()}: run `hydracore migrate`"


async def upgrade(database: Database) -> None:
    """Bring the database to the newest revision in one transaction.

    Raises:
        HistoryUnavailable: The database is locked or away; it is as it was.
        SchemaOutdated: A newer version has migrated it.
    """
    async with database.connection() as connection:
        if database.dialect == "postgresql":
            await connection.execute(text("SELECT pg_advisory_xact_lock(:id)"), {"id": _LOCK_ID})
        found = await connection.run_sync(_revision)
        if found is not None and found not in _known():
            raise SchemaOutdated(explain(database, found))
        await connection.run_sync(_upgrade)


def _known() -> set[str]:
    return {one.revision for one in ScriptDirectory.from_config(config()).walk_revisions()}


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _upgrade(connection: Connection) -> None:
    settings = config()
    settings.attributes["connection"] = connection
    command.upgrade(settings, "head")
