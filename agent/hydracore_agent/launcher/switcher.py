"""Making a switch: putting the release in place, deciding, settling. Every step can be repeated.

The order of the writes makes a kill at any moment harmless: ``state/next`` stays until all is
settled; ``state/current.json`` names the order that brought the release, and writing it is the
moment of the switch. A good release is settled last, since from then on its agent takes new
orders; a bad one is settled first, since its folders could not tell what happened.
"""

from __future__ import annotations

import logging

from hydracore_agent.clock import Clock, to_wire
from hydracore_agent.files import remove_tree, sync_folder
from hydracore_agent.layout import Layout
from hydracore_agent.orders.memory import OrderMemory
from hydracore_agent.orders.releases import Current, Releases
from hydracore_agent.orders.switch import Switch, clear_switch, read_switch

log = logging.getLogger(__name__)

MOST_STARTS = 3
"""A trial that kills its launcher, or is interrupted, is not begun more often."""


class Switcher:
    """Works on the server's folder; starts no process."""

    def __init__(self, layout: Layout, memory: OrderMemory, now: Clock) -> None:
        self._layout = layout
        self._memory = memory
        self._releases = Releases(layout)
        self._now = now

    def pending(self) -> Switch | None:
        """Return the switch to be made, if any.

        Raises:
            StateError: ``state/next`` is damaged.
        """
        return read_switch(self._layout)

    def seconds_left(self, switch: Switch) -> float:
        """Return the seconds until the order's deadline."""
        return switch.not_after - self._now().timestamp()

    def begin(self, switch: Switch) -> bool:
        """Put the release in place for its trial; return False if there is nothing to try.

        Then the task is settled and the old release stands.

        Raises:
            AgentError, OSError: state cannot be read or written; may be repeated.
        """
        current = self._releases.current()
        if current is not None and current.task_id == switch.task_id:
            self._finish(switch, "activated", "the release runs (its launcher was interrupted)")
            return False
        task = self._memory.read().tasks.get(switch.task_id)
        if task is None or task.final:
            self._finish(switch, None, "")
            return False
        obstacle = self._obstacle(switch, task.trial_starts)
        if obstacle is not None:
            state = "rolled_back" if task.trial_starts else "expired"
            self._finish(switch, state, obstacle)
            return False
        self._put_in_place(switch)
        if not self._releases.is_complete(self._layout.release(switch.sha256)):
            self._finish(switch, "rolled_back", "the unpacked release is gone from the disk")
            return False
        self._count_start(switch)
        return True

    def commit(self, switch: Switch) -> bool:
        """Make the tried release the one that counts; return False if its time is over.

        Raises:
            AgentError, OSError: state cannot be read or written; may be repeated.
        """
        if self.seconds_left(switch) <= 0:
            return False
        current, when = self._releases.current(), self._memory.stamp()
        self._releases.set_current(switch.sha256, self._previous(current, switch), switch.task_id)
        self._finish(switch, "activated", "the release runs and is healthy", when)
        return True

    def roll_back(self, switch: Switch, cause: str) -> None:
        """Give the release up; the old one stands.

        Raises:
            AgentError, OSError: state cannot be read or written; may be repeated.
        """
        self._finish(switch, "rolled_back", cause)

    def _obstacle(self, switch: Switch, starts: int) -> str | None:
        if self.seconds_left(switch) <= 0:
            when = to_wire(self._now())
            if starts:
                return f"the trial was interrupted and the order's deadline has passed ({when})"
            return f"the order's deadline came before the switch ({when})"
        if starts >= MOST_STARTS:
            return f"the trial was interrupted {starts} times"
        return None

    def _put_in_place(self, switch: Switch) -> None:
        staged, final = self._layout.staged(switch.task_id), self._layout.release(switch.sha256)
        replaced = self._layout.replaced(switch.task_id)
        if not self._releases.is_complete(staged):
            return
        if final.exists():
            if replaced.exists():
                remove_tree(final)
            else:
                final.replace(replaced)
        staged.replace(final)
        sync_folder(self._layout.releases)

    def _count_start(self, switch: Switch) -> None:
        with self._memory.change() as memory:
            task = memory.tasks[switch.task_id]
            task.trial_starts += 1
            memory.move(task, "trial", "the release is on trial", self._memory.stamp())

    def _finish(
        self, switch: Switch, state: str | None, message: str, when: str | None = None
    ) -> None:
        if state == "activated":
            self._tidy(switch)
        with self._memory.change() as memory:
            task = memory.tasks.get(switch.task_id)
            if task is not None and not task.final and state is not None:
                memory.move(task, state, message, when or self._memory.stamp())
                log.info("task %s: %s: %s", switch.task_id, state, message)
        if state != "activated":
            self._tidy(switch)
        clear_switch(self._layout, switch)

    def _tidy(self, switch: Switch) -> None:
        final = self._layout.release(switch.sha256)
        replaced = self._layout.replaced(switch.task_id)
        current = self._releases.current()
        if current is not None and current.task_id != switch.task_id and replaced.exists():
            remove_tree(final)
            replaced.replace(final)
        remove_tree(replaced)
        remove_tree(self._layout.staged(switch.task_id))
        self._layout.part(switch.sha256).unlink(missing_ok=True)
        if current is not None:
            self._releases.prune(
                {current.sha256, *([current.previous] if current.previous else [])}
            )

    def _previous(self, current: Current | None, switch: Switch) -> str | None:
        if current is None:
            return None
        return current.previous if current.sha256 == switch.sha256 else current.sha256
