"""The task under way: drives it to its switch, survives kills, settles it truthfully."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hydracore_agent.clock import Clock, to_wire
from hydracore_agent.errors import StateError, describe_os_error
from hydracore_agent.files import remove_tree
from hydracore_agent.http import Refusal
from hydracore_agent.layout import Layout
from hydracore_agent.orders.control import Control
from hydracore_agent.orders.download import Source, same_origin
from hydracore_agent.orders.intake import take_abort, take_order
from hydracore_agent.orders.memory import OrderMemory
from hydracore_agent.orders.outcome import Aborted, Expired, TaskEnded
from hydracore_agent.orders.releases import Releases
from hydracore_agent.orders.steps import Installer, Job, in_thread
from hydracore_agent.orders.switch import Switch, write_switch
from hydracore_agent.orders.task import BEFORE_SWITCH, Task
from hydracore_agent.orders.token import Order
from hydracore_agent.settings import BundleRef

log = logging.getLogger(__name__)

SETTLE_TRIES = 600
SETTLE_PAUSE = 1.0


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the runner needs to know of the agent it runs in.

    Attributes:
        running_hash: Digest of the release that this process runs.
        api_url: Only there the agent's key may be sent.
        agent_key: Returns the key for /agent/v1.
        changed: Told after this process has changed an order.
        leave: Ends this process with exit status 0, so that the launcher makes the switch.
    """

    running_hash: str
    api_url: str
    agent_key: Callable[[], str | None]
    changed: Callable[[], None]
    leave: Callable[[], None]


class OrderRunner:
    """Takes orders and carries out one at a time."""

    def __init__(
        self,
        layout: Layout,
        memory: OrderMemory,
        installer: Installer,
        around: Surroundings,
        now: Clock,
    ) -> None:
        self._layout = layout
        self._memory = memory
        self._installer = installer
        self._around = around
        self._now = now
        self._driver: asyncio.Task[None] | None = None
        self._driven: str | None = None

    async def prepare(self) -> None:
        """Clear what interrupted tasks left behind; to be called before any order can come.

        Raises:
            StateError: the memory is damaged.
            OSError: a folder cannot be read.
        """
        await asyncio.to_thread(self._memory.recover)
        task = self._memory.read().active
        keep = set()
        if task is not None:
            keep = {self._layout.part(task.sha256).name, self._layout.replaced(task.task_id).name}
            keep.add(self._layout.staged(task.task_id).name)
        await asyncio.to_thread(Releases(self._layout).sweep, keep)

    def resume(self) -> None:
        """Go on with the task that a kill has interrupted, if any."""
        task = self._memory.read().active
        if task is not None and (task.state in BEFORE_SWITCH or self._switch_was_lost(task)):
            log.info("going on with task %s (%s)", task.task_id, task.state)
            self._start(task.task_id)

    async def submit(self, order: Order) -> tuple[int, Task]:
        """Take an order; return the HTTP status and its task.

        Raises:
            Refusal: it is stale, expired, or another is under way.
            OSError: it could not be remembered, so it was not taken.
        """
        return await asyncio.shield(asyncio.ensure_future(self._submit(order)))

    async def abort(self, task_id: str, epoch: int) -> Task:
        """Take back a task; return it as it is then.

        Raises:
            Refusal: the epoch is stale.
        """
        outcome = await asyncio.to_thread(self._abort, task_id, epoch)
        if isinstance(outcome, Refusal):
            raise outcome
        self._around.changed()
        if outcome.state == "aborted" and self._driven == task_id and self._driver is not None:
            self._driver.cancel()
            await asyncio.wait([self._driver])
            await asyncio.to_thread(self._clean, outcome)
        return outcome

    async def close(self) -> None:
        """Stop working; what is under way is resumed by the next process."""
        if self._driver is not None:
            self._driver.cancel()
            await asyncio.wait([self._driver])

    def report(self, task: Task) -> dict[str, Any]:
        """Return the TaskReport."""
        return task.report(
            running_hash=self._around.running_hash,
            bytes_done=_bytes_done(self._layout, task),
        )

    async def _submit(self, order: Order) -> tuple[int, Task]:
        outcome = await asyncio.to_thread(self._take, order)
        if isinstance(outcome, Refusal):
            raise outcome
        self._around.changed()
        status, task = outcome
        if not task.final and self._driven != task.task_id and task.state in BEFORE_SWITCH:
            self._start(task.task_id)
        return status, task

    def _take(self, order: Order) -> tuple[int, Task] | Refusal:
        with self._memory.change() as memory:
            outcome = take_order(memory, order, self._around.running_hash, self._now())
        if isinstance(outcome, Refusal):
            self._memory.note("refused", taskId=order.task_id, epoch=order.epoch, code=outcome.code)
        return outcome

    def _abort(self, task_id: str, epoch: int) -> Task | Refusal:
        with self._memory.change() as memory:
            return take_abort(memory, task_id, epoch, self._now())

    def _start(self, task_id: str) -> None:
        self._driven = task_id
        self._driver = asyncio.create_task(self._drive(task_id), name=f"task {task_id}")

    async def _drive(self, task_id: str) -> None:
        task = self._memory.read().tasks[task_id]
        control = Control(task.deadline, self._now)
        try:
            async with asyncio.timeout(max(0.0, control.seconds_left())):
                await self._run(task, control)
        except TimeoutError:
            state, message = self._out_of_time(task, control)
        except TaskEnded as ended:
            state, message = ended.state, str(ended)
        except OSError as error:
            state = "rejected"
            message = f"this server could not store the release: {describe_os_error(error)}"
        except StateError as error:
            log.warning("task %s: %s", task_id, error)
            return
        except Exception:
            log.exception("task %s failed", task_id)
            state, message = "rejected", "an unexpected error; the agent's log tells more"
        else:
            self._around.leave()
            return
        await self._settle(task, state, message)

    async def _run(self, task: Task, control: Control) -> None:
        job = self._job(task)
        control.check()
        await self._move(task.task_id, "downloading", "fetching the bundle")
        resumed = job.part.exists()
        await self._installer.fetch(job, control)
        await self._move(task.task_id, "verifying", "checking digest and signature")
        await self._installer.verify(job, control, resumed=resumed)
        await self._move(task.task_id, "unpacking", "unpacking the release")
        await self._installer.unpack(job, control)
        await in_thread(control, lambda: self._switch(task.task_id, control))
        self._around.changed()

    def _job(self, task: Task) -> Job:
        bundle = BundleRef(
            task.slug, task.version, task.sha256, task.size_bytes, task.key_id, task.signature
        )
        ours = same_origin(task.url, self._around.api_url)
        token = self._around.agent_key() if ours else None
        return Job(
            bundle,
            Source(task.url, task.size_bytes, token),
            self._layout.part(task.sha256),
            self._layout.staged(task.task_id),
        )

    async def _move(self, task_id: str, state: str, message: str) -> None:
        await asyncio.to_thread(self._move_now, task_id, state, message)
        self._around.changed()

    def _move_now(self, task_id: str, state: str, message: str) -> None:
        with self._memory.change() as memory:
            task = memory.tasks[task_id]
            if task.final:
                raise Aborted(task.message)
            memory.move(task, state, message, self._memory.stamp())

    def _switch(self, task_id: str, control: Control) -> None:
        with self._memory.change() as memory:
            task = memory.tasks[task_id]
            if task.final:
                raise Aborted(task.message)
            control.check()
            write_switch(self._layout, Switch(task_id, task.sha256, task.not_after))
            message = "the launcher is about to start it on trial"
            memory.move(task, "switching", message, self._memory.stamp())

    def _switch_was_lost(self, task: Task) -> bool:
        return task.state == "switching" and not self._layout.next.exists()

    def _out_of_time(self, task: Task, control: Control) -> tuple[str, str]:
        seen = self._memory.read().tasks[task.task_id]
        if seen.state == "downloading":
            have = _bytes_done(self._layout, seen)
            why = f" ({control.problem})" if control.problem else ""
            return "rejected", (
                f"only {have} of {task.size_bytes} bytes of the bundle arrived before the "
                f"order's deadline {to_wire(task.deadline)}{why}"
            )
        return (
            Expired.state,
            f"the order's deadline {to_wire(task.deadline)} came while {seen.state}",
        )

    async def _settle(self, task: Task, state: str, message: str) -> None:
        """Write the end of a task; a full disk is asked again until it takes it."""
        await asyncio.to_thread(self._clean, task)
        log.info("task %s: %s: %s", task.task_id, state, message)
        for _ in range(SETTLE_TRIES):
            try:
                with contextlib.suppress(Aborted):
                    await self._move(task.task_id, state, message)
            except OSError as error:
                log.warning("the end of task %s cannot be kept: %s", task.task_id, error)
                await asyncio.sleep(SETTLE_PAUSE)
            else:
                return

    def _clean(self, task: Task) -> None:
        self._layout.next.unlink(missing_ok=True)
        remove_tree(self._layout.staged(task.task_id))
        self._layout.part(task.sha256).unlink(missing_ok=True)


def _bytes_done(layout: Layout, task: Task) -> int:
    if task.state in {"verifying", "unpacking", "switching", "trial", "activated", "rolled_back"}:
        return task.size_bytes
    try:
        return layout.part(task.sha256).stat().st_size
    except FileNotFoundError:
        return 0
