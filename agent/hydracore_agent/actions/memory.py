"""Every action that ever arrived, on disk before it counts.

Changes are made inside a change of the orders' memory, whose lock serialises both: whether an order
is under way and which epoch is the highest are decided together with the action. ``actions.jsonl``
beside it gets one line for each transition and is never read.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from hydracore_agent.actions.record import ActionRecord
from hydracore_agent.clock import Clock, to_wire
from hydracore_agent.errors import StateError, describe_os_error
from hydracore_agent.files import read_json, write_json
from hydracore_agent.orders.ledger import Ledger

log = logging.getLogger(__name__)

KEPT = 200
"""Finished actions that are always kept; older ones go once their deadline is an hour past."""
KEEP_SECONDS = 3600.0


class ActionMemory:
    """Remembers actions by id."""

    def __init__(self, path: Path, ledger: Path, now: Clock) -> None:
        self._path = path
        self._ledger = Ledger(ledger)
        self._now = now
        self._records: dict[str, ActionRecord] | None = None

    def read(self) -> dict[str, ActionRecord]:
        """Return what is remembered, oldest first; not to be changed.

        Raises:
            StateError: the file is damaged.
            OSError: it cannot be read.
        """
        if self._records is None:
            self._records = self._load()
        return self._records

    def store(self, record: ActionRecord) -> None:
        """Remember a record as it is now; durable on return. Call it with the lock held.

        Raises:
            OSError: it could not be written; what was remembered before stands.
        """
        records = self._kept({**self.read(), record.action_id: record})
        write_json(self._path, {"actions": [one.to_json() for one in records.values()]})
        self._records = records
        self._note(record)

    def stamp(self) -> str:
        """Return the time as it is kept in records."""
        return to_wire(self._now())

    def _note(self, record: ActionRecord) -> None:
        event: dict[str, Any] = {
            "at": self.stamp(),
            "event": record.state,
            "actionId": record.action_id,
            "action": record.action,
            "epoch": record.epoch,
            "message": record.message,
            "pid": record.pid,
        }
        try:
            self._ledger.append(event)
        except OSError as error:
            log.warning("the actions' ledger cannot be written: %s", describe_os_error(error))

    def _load(self) -> dict[str, ActionRecord]:
        try:
            data = read_json(self._path)
            found = [ActionRecord.from_json(item) for item in data["actions"]] if data else []
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise StateError(
                f"{self._path} is damaged ({error}): what already ran would be forgotten; "
                "restore it, or remove it if no action is under way"
            ) from error
        return {record.action_id: record for record in found}

    def _kept(self, records: dict[str, ActionRecord]) -> dict[str, ActionRecord]:
        before = self._now().timestamp() - KEEP_SECONDS
        old = [one for one in records.values() if one.final and one.not_after < before]
        gone = {one.action_id for one in old[: max(0, len(records) - KEPT)]}
        return {key: one for key, one in records.items() if key not in gone}
