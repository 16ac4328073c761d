"""Where an operator's calls go out: the API server, agents, SQL, the provider and its steps.

Everything is wrapped from outside, in the process that is to die; the operator knows nothing of it.
Reads that repeat by time alone are let through uncounted: the Lease, and the lists over all
namespaces with which the stores are filled. A call that goes on where another process stopped is
counted all the same.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import Any

from hydracore_agentclient import AgentClient
from hydracore_history.database import Database
from hydracore_kube.transport import Transport
from hydracore_operator.providers.local import LocalProvider, processes, reboots, record
from tests.faults.sweep.trap import Trap

AGENT_CALLS = (
    "status",
    "await_end",
    "deep_health",
    "send_order",
    "task",
    "abort",
    "run_action",
    "action",
    "settle_action",
)
PROVIDER_CALLS = (
    "create",
    "find",
    "get",
    "list",
    "power_on",
    "power_cycle",
    "reboot",
    "reboot_of",
    "forbid_reboot",
    "delete",
)
PROVIDER_STEPS = (
    (record, ("make_folder", "remove_folder")),
    (reboots, ("note", "forbid")),
    (processes, ("start_machine",)),
)
"""What the local provider does to the machine, so that it is also killed half-way."""

_NAMES = re.compile(r"/namespaces/([^/]+)")


def install(trap: Trap, namespaces: frozenset[str] | None = None) -> None:
    """Wrap every seam of this process.

    Args:
        trap: Counts and kills.
        namespaces: Of calls to the API server only those about these namespaces count, and those
            about the operator's own; all of them where it is None.
    """
    _kube(trap, namespaces)
    _history(trap)
    for name in AGENT_CALLS:
        _method(trap, AgentClient, name, f"agent {name}")
    for name in PROVIDER_CALLS:
        _method(trap, LocalProvider, name, f"provider {name}")
    for module, names in PROVIDER_STEPS:
        for name in names:
            _function(trap, module, name)


def describe(method: str, path: str) -> str:
    """Return a call's kind without names: ``PATCH rollouttargets/status``."""
    parts = _NAMES.sub("", path).split("/")
    parts = parts[3:] if parts[1] == "api" else parts[4:]
    kind = parts[0] if parts else "namespaces"
    sub = f"/{parts[2]}" if len(parts) > 2 else ""
    one = method == "GET" and len(parts) == 1
    return f"{'LIST' if one else method} {kind}{sub}"


def _kube(trap: Trap, namespaces: frozenset[str] | None) -> None:
    send = Transport.json

    @functools.wraps(send)
    async def json(self: Transport, method: Any, path: str, **rest: Any) -> Any:
        if not _counts(method, path, namespaces):
            return await send(self, method, path, **rest)
        return await trap.around(
            describe(method, path), functools.partial(send, self, method, path, **rest)
        )

    Transport.json = json  # type: ignore[method-assign]


def _counts(method: str, path: str, namespaces: frozenset[str] | None) -> bool:
    found = _NAMES.search(path)
    if "/leases" in path or (found is None and method == "GET"):
        return False
    return namespaces is None or found is None or found[1] in namespaces


def _history(trap: Trap) -> None:
    """Count write transactions: before the first statement, and after the commit."""
    write = Database.write

    class Counted:
        def __init__(self, database: Database) -> None:
            self._inner: Any = write(database)

        async def __aenter__(self) -> Any:
            self._mine = trap.enter("SQL write")
            return await self._inner.__aenter__()

        async def __aexit__(self, *exc: object) -> Any:
            try:
                return await self._inner.__aexit__(*exc)
            finally:
                trap.leave(mine=self._mine)

    def counted(database: Database) -> Counted:
        return Counted(database)

    Database.write = counted  # type: ignore[assignment,method-assign]


def _method(trap: Trap, owner: type, name: str, what: str) -> None:
    call: Callable[..., Any] = getattr(owner, name)

    @functools.wraps(call)
    async def counted(*args: Any, **kwargs: Any) -> Any:
        return await trap.around(what, functools.partial(call, *args, **kwargs))

    setattr(owner, name, counted)


def _function(trap: Trap, module: Any, name: str) -> None:
    call: Callable[..., Any] = getattr(module, name)

    @functools.wraps(call)
    def counted(*args: Any, **kwargs: Any) -> Any:
        return trap.around_sync(f"provider step {name}", functools.partial(call, *args, **kwargs))

    setattr(module, name, counted)
