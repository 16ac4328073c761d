"""One action on a real agent, from its creation to its archive."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from datetime import timedelta

from hydracore_agentclient import AgentError
from hydracore_core.actions.plan import is_over
from hydracore_crds import InstanceAction, ObjectMeta
from hydracore_crds.instance_action import ActionName, InstanceActionSpec
from hydracore_history import History
from hydracore_operator.providers.local import reboots
from tests.faults.fleet import TENANT, Server
from tests.faults.plane import Plane

NUMBERS = itertools.count(1)
"""Actions of all sweeps stay side by side in one cluster."""


class OneAction:
    """The scenario. The oracles are the agent's own ledger and the provider's."""

    namespace = TENANT
    ahead = timedelta()
    clock = None
    machine_command = None
    keep = True

    def __init__(self, plane: Plane, server: Server, what: ActionName) -> None:
        self.name = what
        self.outcomes: Counter[str] = Counter()
        self.history = History(plane.database_url)
        self._what: ActionName = what
        self._plane = plane
        self._server = server
        self.action_name = ""

    async def begin(self) -> None:
        self.action_name = f"{self._what}-{next(NUMBERS)}"
        self._pid = (await self._plane.agents.status(self._server.endpoint)).pid
        spec = InstanceActionSpec(instance_name=self._server.name, action=self._what)
        metadata = ObjectMeta(name=self.action_name, namespace=TENANT)
        made = await self._plane.admin.create(InstanceAction(metadata=metadata, spec=spec))
        self._uid = made.metadata.uid

    async def step(self) -> bool:
        """Whether it is over, in the archive as it is, and the agent there again."""
        found = await self._get()
        archived = await self.history.actions.get(self._uid)
        if not is_over(found) or archived is None:
            return False
        if archived.wire["status"]["state"] != found.status.state:
            return False
        try:
            await self._plane.agents.status(self._server.endpoint)
        except AgentError:
            return False
        return True

    async def check(self) -> None:
        """It ran at most once; it ran if it is said to have succeeded, and not if it failed."""
        state = (await self._get()).status.state or ""
        self.outcomes[state] += 1
        runs = self._runs()
        assert runs <= 1, self._lines()
        assert state in {"succeeded", "failed"}, state
        assert runs == (1 if state == "succeeded" else 0), (state, self._lines())
        after = (await self._plane.agents.status(self._server.endpoint)).pid
        assert (after != self._pid) == (runs == 1)

    def describe(self) -> str:
        return "\n".join(str(line) for line in self._lines())

    # ---- inside ------------------------------------------------------------------------------
    async def _get(self) -> InstanceAction:
        return await self._plane.admin.get(InstanceAction, self.action_name, TENANT)

    def _runs(self) -> int:
        if self._what != "reboot":
            return sum(1 for line in self._lines() if line["event"] == "restarting")
        return sum(1 for line in self._lines() if line["event"] == "begun")

    def _lines(self) -> list[dict[str, object]]:
        """Return the ledger's lines of this life's action."""
        name, key = "state/actions.jsonl", "actionId"
        if self._what == "reboot":
            name, key = reboots.FILE, "requestId"
        path = self._server.folder / name
        lines = path.read_text().splitlines() if path.exists() else []
        parsed = [json.loads(line) for line in lines if line]
        return [line for line in parsed if line[key] == self._uid]
