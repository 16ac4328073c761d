"""A scriptable provider with a ledger of calls: the oracle of the tests about servers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from hydracore_crds.names import INSTANCE_ID_LABEL
from hydracore_operator.providers import Reboot, Server, ServerRequest
from hydracore_operator.providers.errors import (
    NameConflictError,
    ProviderError,
    ServerNotFoundError,
    TooLateError,
    UnknownOutcomeError,
)


@dataclass
class DoubleProvider:
    """Servers in memory.

    Attributes:
        servers: What exists, by id.
        calls: Every call as ``(method, argument)``, also those that failed.
        user_data: What servers were given, by id.
        next_error: Raised by the next call of the named method, before it does anything.
        lose_replies: So many creates do their work and then fail with an unknown outcome.
        ever: Instance id → ids of all servers that ever existed for it.
        reboots: Request id → the reboot that was begun for it.
        forbidden: Request ids that must not begin any more.
        now: The provider's clock.
    """

    name: str = "local"
    servers: dict[str, Server] = field(default_factory=dict)
    calls: list[tuple[str, str]] = field(default_factory=list)
    user_data: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    next_error: dict[str, list[ProviderError]] = field(default_factory=dict)
    lose_replies: int = 0
    ever: dict[str, list[str]] = field(default_factory=dict)
    reboots: dict[str, Reboot] = field(default_factory=dict)
    forbidden: set[str] = field(default_factory=set)
    created_at: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    def fail_next(self, method: str, *errors: ProviderError) -> None:
        """Have the next calls of a method fail, one error each."""
        self.next_error.setdefault(method, []).extend(errors)

    def of(self, instance_id: str) -> list[Server]:
        """Return the servers of an instance that exist now."""
        found = self.servers.values()
        return [s for s in found if s.labels.get(INSTANCE_ID_LABEL) == instance_id]

    def count(self, method: str) -> int:
        """Return how often a method was called."""
        return sum(name == method for name, _ in self.calls)

    def switch_off(self, server_id: str) -> None:
        """Cut a server's power."""
        self.servers[server_id] = replace(self.servers[server_id], state="off")

    def add_stranger(self, name: str) -> Server:
        """Put a server there that is nobody's of ours."""
        made = self._new(name, {"owner": "somebody else"})
        self.servers[made.id] = made
        return made

    async def create(self, request: ServerRequest) -> Server:
        self._enter("create", request.name)
        held = next((s for s in self.servers.values() if s.name == request.name), None)
        if held is not None:
            if dict(held.labels) != dict(request.labels):
                raise NameConflictError(f"the server name {request.name} is held by another")
            return held
        made = self._new(request.name, request.labels)
        self.servers[made.id] = made
        self.user_data[made.id] = request.user_data
        self.ever.setdefault(request.labels[INSTANCE_ID_LABEL], []).append(made.id)
        if self.lose_replies > 0:
            self.lose_replies -= 1
            raise UnknownOutcomeError("the provider did not answer in time")
        return made

    async def find(self, labels: Mapping[str, str]) -> Server | None:
        self._enter("find", str(labels.get(INSTANCE_ID_LABEL)))
        found = [s for s in self.servers.values() if labels.items() <= s.labels.items()]
        if len(found) > 1:
            raise NameConflictError("several servers carry the same instance id")
        return found[0] if found else None

    async def get(self, server_id: str) -> Server:
        self._enter("get", server_id)
        return self._known(server_id)

    async def power_on(self, server_id: str) -> Server:
        self._enter("power_on", server_id)
        made = self.servers[server_id] = replace(self._known(server_id), state="running")
        return made

    async def power_cycle(self, server_id: str) -> Server:
        self._enter("power_cycle", server_id)
        return await self.power_on(server_id)

    async def reboot(self, server_id: str, *, request_id: str, not_after: datetime) -> Reboot:
        self._enter("reboot", server_id)
        self._known(server_id)
        begun = self.reboots.get(request_id)
        if begun is None:
            if self.now() >= not_after or request_id in self.forbidden:
                raise TooLateError("too late")
            begun = self.reboots[request_id] = Reboot(self.now(), booted=True)
        return begun

    async def reboot_of(self, server_id: str, request_id: str) -> Reboot | None:
        self._enter("reboot_of", server_id)
        self._known(server_id)
        return self.reboots.get(request_id)

    async def forbid_reboot(self, server_id: str, request_id: str) -> Reboot | None:
        self._enter("forbid_reboot", server_id)
        self._known(server_id)
        if request_id not in self.reboots:
            self.forbidden.add(request_id)
        return self.reboots.get(request_id)

    async def delete(self, server_id: str) -> None:
        self._enter("delete", server_id)
        self._known(server_id)
        del self.servers[server_id]

    async def list(self) -> list[Server]:
        self._enter("list", "")
        return [s for s in self.servers.values() if INSTANCE_ID_LABEL in s.labels]

    def _enter(self, method: str, argument: str) -> None:
        self.calls.append((method, argument))
        waiting = self.next_error.get(method)
        if waiting:
            raise waiting.pop(0)

    def _known(self, server_id: str) -> Server:
        found = self.servers.get(server_id)
        if found is None:
            raise ServerNotFoundError(f"there is no server {server_id}")
        return found

    def _new(self, name: str, labels: Mapping[str, str]) -> Server:
        number = len(self.calls) + len(self.servers)
        return Server(
            id=f"srv-{number}-{name}",
            name=name,
            labels=dict(labels),
            state="running",
            ip_address="127.0.0.1",
            agent_url=f"http://127.0.0.1:{20000 + number}",
            server_type="small",
            location="here",
            created_at=self.created_at,
        )
