"""Carrying out actions: remembered first, run once, the outcome remembered too."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from hydracore_agent.actions.intake import take_action, take_settlement
from hydracore_agent.actions.memory import ActionMemory
from hydracore_agent.actions.record import (
    FAILED,
    INTERRUPTED,
    MAX_MESSAGE,
    RESTARTING,
    SUCCEEDED,
    ActionRecord,
)
from hydracore_agent.actions.request import ActionRequest
from hydracore_agent.clock import Clock
from hydracore_agent.errors import describe_os_error
from hydracore_agent.http import Refusal
from hydracore_agent.orders.intake import check_epoch
from hydracore_agent.orders.memory import OrderMemory

log = logging.getLogger(__name__)

RUN_SECONDS = 50.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What carrying out an action came to.

    Attributes:
        restart: This process ends now; the action has succeeded when the next one serves.
    """

    message: str
    ok: bool = True
    restart: bool = False
    detail: Mapping[str, str] = field(default_factory=dict)
    diagnostics: dict[str, Any] | None = None


Deed = Callable[[ActionRequest], Awaitable[Outcome]]


class ActionRunner:
    """Takes actions and carries out one at a time."""

    def __init__(
        self,
        memory: ActionMemory,
        orders: OrderMemory,
        deeds: Mapping[str, Deed],
        *,
        leave: Callable[[], None],
        on_trial: Callable[[], bool],
        now: Clock,
    ) -> None:
        """Take what it needs.

        Args:
            memory: Where actions are remembered.
            orders: Whose lock and epoch are shared.
            deeds: How each action is carried out.
            leave: Ends this process with exit status 0.
            on_trial: Whether the launcher has yet to decide on this release.
            now: The clock.
        """
        self._memory = memory
        self._orders = orders
        self._deeds = deeds
        self._leave = leave
        self._on_trial = on_trial
        self._now = now
        self._running: set[asyncio.Task[None]] = set()

    def recover(self) -> None:
        """Settle what the former process left open; to be called before anything can come.

        Raises:
            StateError: the memory is damaged.
            OSError: it cannot be read or written.
        """
        for record in [one for one in self._memory.read().values() if not one.final]:
            if record.state == RESTARTING:
                back = Outcome(record.message, detail=self._back(record))
                self._store(_after(record, SUCCEEDED, back))
            else:
                text = "the agent's process ended while the action ran"
                self._store(_after(record, INTERRUPTED, Outcome(text)))

    async def submit(self, request: ActionRequest) -> tuple[int, ActionRecord]:
        """Take an action; return the HTTP status and its record.

        Raises:
            Refusal: it is stale, expired, or something else is under way.
            OSError: it could not be remembered, so it was not taken.
        """
        if request.action not in self._deeds:
            raise Refusal(404, "unknown_action", f"this agent has no action {request.action[:64]}")
        if self._on_trial() and (request.action == "power-cycle" or request.restart):
            raise Refusal(409, "busy", "this release is on trial; leaving now would end the trial")
        return await asyncio.shield(asyncio.ensure_future(self._submit(request)))

    async def settle(self, action_id: str, epoch: int) -> ActionRecord:
        """Return what became of an action; one that never came never will be carried out.

        Raises:
            Refusal: the epoch is stale.
            OSError: that could not be remembered.
        """
        return await asyncio.to_thread(self._settle, action_id, epoch)

    def show(self, action_id: str) -> ActionRecord | None:
        """Return an action's record, or None."""
        return self._memory.read().get(action_id)

    async def close(self) -> None:
        """Stop; what is under way is settled by the next process."""
        for task in self._running:
            task.cancel()
        if self._running:
            await asyncio.wait(self._running)

    async def _submit(self, request: ActionRequest) -> tuple[int, ActionRecord]:
        begins, record = await asyncio.to_thread(self._take, request)
        if not begins:
            return 200, record
        task = asyncio.create_task(self._run(request, record), name=f"action-{record.action_id}")
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return 202, record

    def _take(self, request: ActionRequest) -> tuple[bool, ActionRecord]:
        # The epoch first, in a write of its own: then the action's is the last that can fail.
        with self._orders.change() as orders:
            check_epoch(orders, request.epoch)
        with self._orders.change() as orders:
            taken = take_action(orders, self._memory.read(), request, self._now())
            if not isinstance(taken, Refusal) and taken[0]:
                self._memory.store(taken[1])
        if isinstance(taken, Refusal):
            raise taken
        return taken

    def _settle(self, action_id: str, epoch: int) -> ActionRecord:
        with self._orders.change() as orders:
            check_epoch(orders, epoch)
        with self._orders.change() as orders:
            known = self._memory.read()
            record = take_settlement(orders, known, action_id, epoch, self._now())
            if not isinstance(record, Refusal) and action_id not in known:
                self._memory.store(record)
        if isinstance(record, Refusal):
            raise record
        return record

    async def _run(self, request: ActionRequest, record: ActionRecord) -> None:
        log.info("action %s (%s) begins", record.action_id, record.action)
        try:
            async with asyncio.timeout(RUN_SECONDS):
                outcome = await self._deeds[request.action](request)
        except TimeoutError:
            outcome = Outcome(f"it took longer than {RUN_SECONDS:g} s", ok=False)
        except OSError as error:
            outcome = Outcome(describe_os_error(error), ok=False)
        except Exception as error:
            log.exception("action %s failed", record.action)
            text = f"unexpected {type(error).__name__}; the agent's log tells more"
            outcome = Outcome(text, ok=False)
        state = RESTARTING if outcome.restart else SUCCEEDED if outcome.ok else FAILED
        try:
            await asyncio.to_thread(self._store, _after(record, state, outcome))
        except OSError as error:
            # It stays open: the next process says that it was interrupted.
            log.error("action %s: its outcome cannot be kept: %s", record.action_id,  # noqa: TRY400
                      describe_os_error(error))  # fmt: skip
        else:
            if outcome.restart:
                self._leave()

    def _store(self, record: ActionRecord) -> None:
        record.finished_at = self._memory.stamp() if record.final else None
        with self._orders.change():
            self._memory.store(record)

    def _back(self, record: ActionRecord) -> dict[str, str]:
        away = self._now() - datetime.fromisoformat(record.started_at)
        return {
            "pidBefore": str(record.pid),
            "pidAfter": str(os.getpid()),
            "backAfterMs": str(max(0, round(away.total_seconds() * 1000))),
        }


def _after(record: ActionRecord, state: str, outcome: Outcome) -> ActionRecord:
    return replace(
        record,
        state=state,
        message=outcome.message[:MAX_MESSAGE],
        detail={**record.detail, **outcome.detail},
        diagnostics=outcome.diagnostics or record.diagnostics,
    )
