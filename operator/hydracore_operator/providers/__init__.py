"""Providers: who gives us servers. One protocol, typed errors, one folder for each provider."""

from hydracore_operator.providers.base import (
    Provider,
    Reboot,
    Server,
    ServerRequest,
    find_labels,
    server_labels,
    server_name,
)
from hydracore_operator.providers.registry import Providers

__all__ = [
    "Provider",
    "Providers",
    "Reboot",
    "Server",
    "ServerRequest",
    "find_labels",
    "server_labels",
    "server_name",
]
