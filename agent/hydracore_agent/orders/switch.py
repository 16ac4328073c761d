"""``state/next``: the agent's word to the launcher that a release is ready to be tried."""

from __future__ import annotations

from dataclasses import dataclass

from hydracore_agent.errors import StateError
from hydracore_agent.fields import FieldError, Fields
from hydracore_agent.files import read_json, sync_folder, write_json
from hydracore_agent.layout import Layout


@dataclass(frozen=True, slots=True)
class Switch:
    """The switch to be made.

    Attributes:
        task_id: The order behind it.
        sha256: The release to try; it lies in the task's staging folder until the switch.
        not_after: Unix seconds; at and after it the release neither starts nor becomes current.
    """

    task_id: str
    sha256: str
    not_after: float


def write_switch(layout: Layout, switch: Switch) -> None:
    """Put the switch down durably.

    Raises:
        OSError: it could not be written.
    """
    content = {"taskId": switch.task_id, "sha256": switch.sha256, "notAfter": switch.not_after}
    write_json(layout.next, content)


def read_switch(layout: Layout) -> Switch | None:
    """Return the switch to be made, if any.

    Raises:
        StateError: the file is damaged.
    """
    try:
        data = read_json(layout.next)
        if data is None:
            return None
        fields = Fields(data, "next")
        return Switch(
            fields.text("taskId", longest=64),
            fields.digest("sha256"),
            fields.number("notAfter", 0, 2.0**53),
        )
    except (FieldError, ValueError) as error:
        raise StateError(f"{layout.next} is damaged ({error}); remove it to go on") from error


def clear_switch(layout: Layout, switch: Switch) -> None:
    """Remove the switch: it was made or given up, and its task says so.

    Raises:
        StateError: the file is damaged.
        OSError: it cannot be removed.
    """
    if read_switch(layout) == switch:
        layout.next.unlink(missing_ok=True)
        sync_folder(layout.state)
