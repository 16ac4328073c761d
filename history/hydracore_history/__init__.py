"""Facts that pile up, in SQL: provision logs, credentials' hashes, health, keys, archives.

SQLite (WAL) is the embedded default, PostgreSQL serves in production; the URL alone decides.
Operator, API and CLI use :class:`History`; nothing else here is meant for them but the records.
"""

from hydracore_history.audit import AuditEvent
from hydracore_history.errors import HistoryError, HistoryUnavailable, SchemaOutdated
from hydracore_history.facade import History
from hydracore_history.notifications import Notification
from hydracore_history.records import (
    ApiKey,
    ArchivedAction,
    ArchivedRollout,
    ArchivedTarget,
    Credential,
    DeepHealthReport,
    Execution,
    HealthRow,
    IdempotencyRecord,
    PollRecord,
    ProvisionLogEntry,
    StageReport,
    StageResult,
    Tombstone,
)
from hydracore_history.transitions import TransitionRecord
from hydracore_history.usage import UsageDay, UsageEvent

__all__ = [
    "ApiKey",
    "ArchivedAction",
    "ArchivedRollout",
    "ArchivedTarget",
    "AuditEvent",
    "Credential",
    "DeepHealthReport",
    "Execution",
    "HealthRow",
    "History",
    "HistoryError",
    "HistoryUnavailable",
    "IdempotencyRecord",
    "Notification",
    "PollRecord",
    "ProvisionLogEntry",
    "SchemaOutdated",
    "StageReport",
    "StageResult",
    "Tombstone",
    "TransitionRecord",
    "UsageDay",
    "UsageEvent",
]
