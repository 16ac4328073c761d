"""One operator as a process: the real engine on wires of its own, with a clock of its own."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from hydracore_operator.context import NotLeader
from hydracore_operator.controller.queue import WorkQueue
from hydracore_operator.rollouts import Timing
from tests.operator.rollouts.model.feed import Feed
from tests.operator.rollouts.model.line import Line, ProcessClock
from tests.operator.rollouts.model.wires import AgentWire, HistoryWire, KubeWire
from tests.operator.rollouts.world import Operator

if TYPE_CHECKING:
    from hydracore_agentclient import Order
    from hydracore_crds import RolloutTarget
    from tests.operator.rollouts.model.world import World


class Process:
    """An operator that leads, believes that it leads, is frozen, or is dead.

    Attributes:
        name: By its epoch, such as ``operator-3``.
        alive: Whether it runs or is frozen.
    """

    def __init__(self, world: World, epoch: int) -> None:
        self.name = f"operator-{epoch}"
        self.epoch = epoch
        self.alive = True
        self._world = world
        self._deposed = False
        self.line = Line(self.name, self._died)
        self.clock = ProcessClock(world.start, self.line)
        self.operator = Operator(
            KubeWire(world.server, self.line, self._starting),
            AgentWire(world.agents, self.line, self._sent),
            HistoryWire(world.history, self.line),
            epoch=self._epoch,
            clock=self.clock,
            timing=Timing(),
            queue=WorkQueue("tenants", clock=self.clock, jitter=lambda: 0.5),
            new_id=world.new_id,
        )
        stores = {store.kind.KIND.plural: store for store in self.operator.stores.each()}
        self.feed = Feed(world.server, stores, self.line)

    def start(self) -> None:
        """Read everything, then work."""
        self._world.server.feeds.append(self.feed)
        self.feed.relist()
        self.operator.run()

    def thaw(self, *, believes: float) -> None:
        """Let it go on where it was; it finds out after so many seconds that it leads no more."""
        if self.alive and self.line.frozen:
            self.line.thaw()
            self.feed.thawed()
            self.depose_after(believes)

    def depose_after(self, seconds: float) -> None:
        asyncio.get_running_loop().call_later(seconds, self._depose)

    async def kill(self) -> None:
        """End it at once; what has left it goes on."""
        if self.alive:
            self._end()
            await self.operator.kill()

    def _end(self) -> None:
        self.alive = False
        self.line.cut()
        self.line.thaw()
        self.feed.close()
        self._world.server.feeds.remove(self.feed)

    def _died(self) -> None:
        if self.alive:
            self._end()
            self._world.in_background(self.operator.kill())
            self._world.lead_later(self)

    def _depose(self) -> None:
        if self.alive and not self.line.frozen:
            self._deposed = True
            self._world.in_background(self.kill())

    def _epoch(self) -> int:
        if self._deposed or not self.alive:
            raise NotLeader("the Lease is another's")
        return self.epoch

    def _sent(self, order: Order) -> None:
        self._world.starts.sent(self.name, order)

    def _starting(self, target: RolloutTarget) -> None:
        self._world.starts.starting(self.name, target)
