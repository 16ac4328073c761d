"""What a provider of servers has to offer, whoever it is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol

from hydracore_crds.names import INSTANCE_ID_LABEL

CLUSTER_LABEL = "hydracore.io/cluster"
NAMESPACE_LABEL = "hydracore.io/namespace"
INSTANCE_LABEL = "hydracore.io/instance"

PowerState = Literal["running", "off"]


@dataclass(frozen=True, slots=True)
class Server:
    """A server as its provider knows it.

    Attributes:
        id: The provider's id; never reused.
        name: Its name, unique at the provider.
        labels: What we wrote on it.
        state: Whether it is switched on.
        ip_address: Where it can be reached.
        agent_url: Base URL of the agent on it, with an IP literal.
        server_type: The provider's name for its size.
        location: The provider's name for where it stands.
        created_at: When it was created.
    """

    id: str
    name: str
    labels: Mapping[str, str]
    state: PowerState
    ip_address: str
    agent_url: str
    server_type: str
    location: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Reboot:
    """A restart of a whole server that was asked for.

    Attributes:
        requested_at: When it began.
        booted: The server was started since.
    """

    requested_at: datetime
    booted: bool


@dataclass(frozen=True, slots=True)
class ServerRequest:
    """What to create. The same name and labels again mean the same server.

    Attributes:
        name: The server's name, from :func:`server_name`.
        labels: From :func:`server_labels`.
        server_type: The provider's name for the size.
        location: The provider's name for the place.
        user_data: What the server reads at its first boot; secret. The provider adds ``listen``.
    """

    name: str
    labels: Mapping[str, str]
    server_type: str
    location: str
    user_data: Mapping[str, Any] = field(repr=False)


class Provider(Protocol):
    """Servers of one provider. Every call may raise a :class:`ProviderError`."""

    name: str

    async def create(self, request: ServerRequest) -> Server:
        """Create the server, or return the one with the same name and labels.

        Raises:
            NameConflictError: the name is held by a server with other labels.
            UnknownOutcomeError: it may exist now; use :meth:`find`.
        """
        ...

    async def find(self, labels: Mapping[str, str]) -> Server | None:
        """Return the one server that carries all these labels, or None.

        Raises:
            NameConflictError: more than one server carries them.
        """
        ...

    async def get(self, server_id: str) -> Server:
        """Return the server with this id.

        Raises:
            ServerNotFoundError: there is none.
        """
        ...

    async def power_on(self, server_id: str) -> Server:
        """Switch the server on; nothing happens where it is on.

        Raises:
            ServerNotFoundError: there is none.
        """
        ...

    async def power_cycle(self, server_id: str) -> Server:
        """Switch the server off, hard, and on again.

        Raises:
            ServerNotFoundError: there is none.
        """
        ...

    async def reboot(self, server_id: str, *, request_id: str, not_after: datetime) -> Reboot:
        """Restart the whole server, at most once for a request id.

        Args:
            server_id: The server.
            request_id: Asked again with the same, nothing is done.
            not_after: From then on it is not begun.

        Returns:
            What is known of this request now.

        Raises:
            ServerNotFoundError: there is none.
            TooLateError: the time is over, or it was forbidden; it was not begun before.
            UnknownOutcomeError: it may have been begun; use :meth:`reboot_of`.
        """
        ...

    async def reboot_of(self, server_id: str, request_id: str) -> Reboot | None:
        """Return what became of a reboot; None if the provider has not begun it.

        Raises:
            ServerNotFoundError: there is none.
        """
        ...

    async def forbid_reboot(self, server_id: str, request_id: str) -> Reboot | None:
        """Return what became of a reboot; None if it has not begun, and from now on never will.

        Raises:
            ServerNotFoundError: there is none.
            UnknownOutcomeError: the provider cannot promise that.
        """
        ...

    async def delete(self, server_id: str) -> None:
        """Delete the server; when this returns, nothing of it is left.

        Raises:
            ServerNotFoundError: there is none.
            TransientError: something of it is still there; call again.
        """
        ...

    async def list(self) -> list[Server]:
        """Return all servers at this provider that carry an instance id label."""
        ...


def server_name(instance_name: str, instance_id: str) -> str:
    """Return the server's name: readable, a DNS label, and of this instance id alone."""
    readable = re.sub(r"[^a-z0-9-]+", "-", instance_name.lower())[:54].strip("-")
    return f"{readable or 'instance'}-{instance_id[:8]}"


def find_labels(cluster: str, instance_id: str) -> dict[str, str]:
    """Return the labels by which an instance's server is found again."""
    return {CLUSTER_LABEL: cluster, INSTANCE_ID_LABEL: instance_id}


def server_labels(
    cluster: str, namespace: str, instance_name: str, instance_id: str
) -> dict[str, str]:
    """Return all labels of an instance's server."""
    return {
        **find_labels(cluster, instance_id),
        NAMESPACE_LABEL: namespace,
        INSTANCE_LABEL: instance_name,
    }
