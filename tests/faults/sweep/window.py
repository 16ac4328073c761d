"""The small rollout with a maintenance window that closes in the middle of it."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any

from hydracore_crds import RolloutTarget, UpdatePolicy
from tests.faults.plane import Plane
from tests.faults.sweep.rollout import LIMIT, SmallRollout
from tests.simulation.agent import SimAgent

OPENS, CLOSES = 8, 10
BEFORE_CLOSING = timedelta(minutes=2)
"""Where the operator's clock stands when a life begins; longer than a life may take."""
TURN = timedelta(minutes=3)


class ClosingWindow(SmallRollout):
    """The clock is turned past the window's end once the first orders were taken.

    An order says by its own ``iat`` when it was written, by the clock of the operator that wrote
    it: the agents note every one that was written while the window was shut.
    """

    name = "window"

    def __init__(self, plane: Plane, folder: Path) -> None:
        super().__init__(plane, folder)
        self._turned = folder / "clock"
        self.clock = self._turned
        self.late: list[str] = []
        self._shut = False
        self._reopened = False

    async def prepare(self) -> None:
        self._turn(timedelta())
        await super().prepare()
        for agent in self.tenant.agents:
            self._listen(agent)

    async def begin(self) -> None:
        self.late.clear()
        self._shut = self._reopened = False
        now = datetime.now(UTC)
        tomorrow = (now + timedelta(days=1)).date()
        self._closes = datetime.combine(tomorrow, time(CLOSES), UTC)
        self._ahead = self._closes - BEFORE_CLOSING - now
        self._turn(self._ahead)
        await self._window({"startHourUtc": OPENS, "endHourUtc": CLOSES})
        await super().begin()

    async def step(self) -> bool:
        if not self._shut and len(self.tenant.fleet.oracle.accepted) >= LIMIT:
            self._turn(self._ahead + TURN)
            self._shut = True
        if self._shut and not self._reopened:
            if await self._waits():
                await self._window(None)
                self._reopened = True
            return False
        return await super().step()

    async def check(self) -> None:
        """Besides: nothing was started while the window was shut (I4)."""
        assert self._reopened
        assert self.late == []
        await super().check()

    # ---- inside ------------------------------------------------------------------------------
    def _turn(self, ahead: timedelta) -> None:
        draft = self._turned.with_suffix(".new")
        draft.write_text(str(ahead.total_seconds()))
        draft.replace(self._turned)

    async def _window(self, window: dict[str, int] | None) -> None:
        body: dict[str, Any] = {"spec": {"maintenanceWindow": window}}
        await self._admin.patch(UpdatePolicy, "default", self.namespace, body)

    async def _waits(self) -> bool:
        """Whether what ran has ended, and the operator knows that the window is shut."""
        policy = await self._admin.get(UpdatePolicy, "default", self.namespace)
        targets, _ = await self._admin.list(RolloutTarget, self.namespace)
        return (
            policy.status.window_open is False
            and policy.status.in_flight == 0
            and {target.status.state or "queued" for target in targets}
            <= {"queued", "succeeded", "failed"}
            and not await self._slots()
        )

    def _listen(self, agent: SimAgent) -> None:
        take = agent.take_order

        def noted(claims: dict[str, Any]) -> Any:
            written = datetime.fromtimestamp(claims["iat"], UTC)
            if written >= self._closes and not self._reopened:
                self.late.append(f"{agent.instance_id} {written}")
            return take(claims)

        agent.take_order = noted  # type: ignore[method-assign]
