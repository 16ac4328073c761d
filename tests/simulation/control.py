"""What a simulated fleet in a process of its own can be asked and told.

It answers at the fleet's port on 127.0.0.1; agents have other addresses. All bodies are JSON.
"""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import Any

import orjson
from aiohttp import web

from tests.simulation.agent import Faults
from tests.simulation.agents import AgentFleet
from tests.simulation.oracle import Oracle


class Control:
    """The control address of one fleet.

    ``GET /agents``: ``[{id, publicKey, url}]``. ``GET /oracle``: what the agents did.
    ``POST /reset`` ``{"orderSeconds": 5}``: forget what was counted; orders take so long now.
    ``POST /faults`` ``{"ids": [...], "faults": {"silent": true}}``: switch faults on these agents,
    without ``ids`` on all; the names are those of :class:`Faults`.
    """

    def __init__(self) -> None:
        self.fleet: AgentFleet | None = None

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request."""
        assert self.fleet is not None
        body = await request.read()
        given: dict[str, Any] = orjson.loads(body) if body else {}
        try:
            answer = self._answer(self.fleet, f"{request.method} {request.path}", given)
        except (KeyError, TypeError, ValueError) as fault:
            return web.Response(status=422, text=repr(fault))
        if answer is None:
            return web.Response(status=404, text=f"known: {self.__class__.__doc__}")
        return web.Response(body=orjson.dumps(answer), content_type="application/json")

    def _answer(self, fleet: AgentFleet, what: str, given: dict[str, Any]) -> Any:
        match what:
            case "GET /agents":
                return [
                    {
                        "id": agent.instance_id,
                        "publicKey": agent.public_key,
                        "url": fleet.url(agent),
                    }
                    for agent in fleet.agents.values()
                ]
            case "GET /oracle":
                return summary(fleet.oracle)
            case "POST /reset":
                return self._reset(fleet, given)
            case "POST /faults":
                return self._fault(fleet, given)
        return None

    def _reset(self, fleet: AgentFleet, given: dict[str, Any]) -> dict[str, Any]:
        seconds = given.get("orderSeconds")
        for agent in fleet.agents.values():
            if seconds is not None:
                agent.push_seconds = float(seconds)
        before = summary(fleet.oracle)
        fleet.oracle.forget()
        return before

    def _fault(self, fleet: AgentFleet, given: dict[str, Any]) -> dict[str, int]:
        wanted = given["faults"]
        unknown = wanted.keys() - {field.name for field in fields(Faults)}
        if unknown:
            raise ValueError(f"no such faults: {sorted(unknown)}")
        agents = (
            [fleet.agents[i] for i in given["ids"]] if "ids" in given else fleet.agents.values()
        )
        for agent in agents:
            agent.faults = Faults(**{**asdict(agent.faults), **wanted})
        return {"agents": len(agents)}


def summary(oracle: Oracle) -> dict[str, Any]:
    """Return what the agents did, counted by themselves.

    ``slotSeconds`` is the time that all orders took; ``startingSlotSeconds`` what of it lies in
    ``startingSeconds``, between the first order's arrival and the last one's.
    """
    orders = {task for _, task in oracle.accepted}
    return {
        "asked": oracle.asked,
        "orders": len(oracle.accepted),
        "activations": len(oracle.activated),
        "activatedInstances": len({instance for instance, _ in oracle.activated}),
        "repeatedOrders": len(oracle.accepted) - len(orders),
        "staleOrders": oracle.stale,
        "inFlight": len(oracle.in_flight),
        "mostInFlight": oracle.most_in_flight,
        "slotSeconds": round(oracle.slot_seconds, 3),
        "startingSeconds": round(oracle.slots.span_seconds, 6),
        "startingSlotSeconds": round(oracle.slots.busy_seconds, 6),
    }
