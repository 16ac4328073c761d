"""History: the one object through which operator, API and CLI reach the database."""

from __future__ import annotations

from hydracore_history import grants
from hydracore_history import migrate as migrations
from hydracore_history.actions import ActionArchive
from hydracore_history.audit import AuditLog
from hydracore_history.credentials import Credentials
from hydracore_history.database import Database
from hydracore_history.errors import SchemaOutdated
from hydracore_history.executions import Executions
from hydracore_history.health import Health
from hydracore_history.idempotency import Idempotency
from hydracore_history.keys import Keys
from hydracore_history.notifications import Notifications
from hydracore_history.provision_log import ProvisionLog
from hydracore_history.rollouts import RolloutArchive
from hydracore_history.stages import Stages
from hydracore_history.tombstones import Tombstones
from hydracore_history.transitions import Transitions
from hydracore_history.usage import UsageLog


class History:
    """Facts that pile up, in SQL.

    Every method raises :class:`HistoryUnavailable` while the database is locked or away, and
    :class:`SchemaOutdated` where it has not been migrated.
    """

    def __init__(self, url: str, *, timeout_seconds: float = 5.0) -> None:
        """Prepare; nothing is opened yet.

        Args:
            url: ``sqlite+aiosqlite:////abs/path.db`` or ``postgresql+psycopg://…``.
            timeout_seconds: How long a statement may wait for a lock or a connection.
        """
        self._database = Database(url, timeout_seconds=timeout_seconds)
        self.provision_log = ProvisionLog(self._database)
        self.credentials = Credentials(self._database)
        self.stages = Stages(self._database)
        self.health = Health(self._database)
        self.tombstones = Tombstones(self._database)
        self.idempotency = Idempotency(self._database)
        self.keys = Keys(self._database)
        self.executions = Executions(self._database)
        self.rollouts = RolloutArchive(self._database)
        self.actions = ActionArchive(self._database)
        self.transitions = Transitions(self._database)
        self.notifications = Notifications(self._database)
        self.usage = UsageLog(self._database)
        self.audit = AuditLog(self._database)

    @property
    def shown_url(self) -> str:
        """The database's URL without its password."""
        return self._database.shown_url

    @property
    def embedded(self) -> bool:
        """Whether it is a file of this machine (SQLite) rather than a server that may come back."""
        return self._database.dialect == "sqlite"

    async def check(self) -> None:
        """See that the database answers and has this version's tables.

        Raises:
            HistoryUnavailable: It is locked or away.
            SchemaOutdated: Its tables are those of an older or a newer version.
        """
        fault = migrations.explain(self._database, await migrations.current(self._database))
        if fault is not None:
            raise SchemaOutdated(fault)

    async def migrate(self) -> None:
        """Bring the tables to this version; safe to run twice and by several processes at once."""
        await migrations.upgrade(self._database)

    async def grant(self, role: str) -> None:
        """Give a PostgreSQL role what operator, API and CLI need, and no more; safe to repeat.

        Raises:
            ValueError: The database is SQLite, which has no roles.
        """
        await grants.grant(self._database, role)

    async def close(self) -> None:
        """Close all connections."""
        await self._database.engine.dispose()
