"""What a tenant's ledger says, as a value: pure, so that every rule of it can be tested alone."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from hydracore_core.rollouts.model import Slot
from hydracore_crds.base import Time as WireTime
from hydracore_crds.base import Wire

MAX_ENTRIES = 500
"""The largest limit that an UpdatePolicy can set; the ledger stays far below an object's size."""

UNKNOWN_EPOCH = 0
"""Of an adopted entry: an older leader may have sent the order. Leaders count from 1."""


class Entry(Wire):
    """One slot: a target that is, or may be, in flight. The ledger's key is the task id.

    Attributes:
        target: Name of the RolloutTarget.
        rollout: Name of its Rollout.
        attempt: The attempt that the order stands for.
        instance_name: Instance that receives the order.
        instance_uid: ``metadata.uid`` of that Instance.
        deadline: The order's ``notAfter``.
        epoch: Epoch of the operator that claimed the slot, or :data:`UNKNOWN_EPOCH`.
    """

    target: str
    rollout: str
    attempt: int
    instance_name: str
    instance_uid: str
    deadline: WireTime
    epoch: int

    def to_slot(self, task_id: str) -> Slot:
        """Return the entry as the plan reads it."""
        return Slot(
            task_id=task_id,
            rollout_name=self.rollout,
            target_name=self.target,
            attempt=self.attempt,
            instance_name=self.instance_name,
            instance_uid=self.instance_uid,
            deadline=self.deadline,
        )


Entries = Mapping[str, Entry]
"""Entries by task id."""


@dataclass(frozen=True, slots=True)
class Changed:
    """The ledger after a change.

    Attributes:
        entries: What is to be stored.
        refused: Task ids whose claim does not fit, each with the reason.
    """

    entries: dict[str, Entry]
    refused: dict[str, str]


def change(
    current: Entries,
    *,
    claims: Mapping[str, Entry],
    frees: Collection[str],
    adopts: Mapping[str, Entry],
    limit: int,
) -> Changed:
    """Free, adopt and claim slots.

    Frees of unknown tasks are no error (another operator was faster). Adopted entries stand for
    orders that are out already: they are truth, so they count but are never refused for the
    limit. A claim is refused when it would make more entries than ``limit`` or a second entry
    for one instance.
    """
    entries = {task: entry for task, entry in current.items() if task not in frees}
    for task, entry in adopts.items():
        if task not in frees and len(entries) < MAX_ENTRIES:
            entries.setdefault(task, entry)
    held = {entry.instance_uid for entry in entries.values()}
    refused: dict[str, str] = {}
    for task, entry in claims.items():
        if len(entries) >= min(limit, MAX_ENTRIES):
            refused[task] = f"all {limit} slots are taken"
        elif entry.instance_uid in held:
            refused[task] = f"instance {entry.instance_name!r} has a slot already"
        else:
            entries[task] = entry
            held.add(entry.instance_uid)
    return Changed(entries, refused)


def encode(entries: Entries, known: Mapping[str, str]) -> dict[str, str]:
    """Return the entries as a ConfigMap's ``data``: compact JSON by task id.

    Args:
        entries: What is to be stored.
        known: Texts of entries encoded before; an entry never changes.
    """
    return {
        task: known.get(task) or json.dumps(entry.to_wire(), separators=(",", ":"), sort_keys=True)
        for task, entry in entries.items()
    }


def decode(data: Mapping[str, str] | None) -> dict[str, Entry]:
    """Read a ConfigMap's ``data``.

    Raises:
        ValueError: An entry is not what :func:`encode` writes. Nothing is skipped: a ledger that
            cannot be read in full must not be taken for one with free slots.
    """
    return {task: _decode(task, text) for task, text in (data or {}).items()}


def _decode(task: str, text: str) -> Entry:
    try:
        return Entry.model_validate_json(text)
    except ValueError as error:
        raise ValueError(
            f"the slots ledger's entry {task!r} is not a slot: {error}; "
            "delete that key of the ConfigMap by hand"
        ) from error


def slots(entries: Entries, *, without: Collection[str] = ()) -> tuple[Slot, ...]:
    """Return the entries as the plan reads them, leaving out those about to be freed."""
    return tuple(entry.to_slot(task) for task, entry in entries.items() if task not in without)
