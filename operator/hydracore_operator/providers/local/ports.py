"""Ports for the agents of local servers."""

from __future__ import annotations

import random
import socket
from collections.abc import Collection

from hydracore_operator.providers.errors import CapacityError

PORT_RANGE = range(20000, 32000)
"""Below the kernel's ephemeral range (from 32768), so that no outgoing connection takes one."""

_TRIES = 200


def choose_port(host: str, taken: Collection[int], rng: random.Random) -> int:
    """Return a port that no known server has and nobody listens on.

    Args:
        host: The address it will be bound to.
        taken: Ports that belong to servers, also to those that are switched off.
        rng: Where the choice comes from; chance keeps several stacks apart.

    Raises:
        CapacityError: no free port was found.
    """
    free = [port for port in PORT_RANGE if port not in taken]
    for port in rng.sample(free, min(_TRIES, len(free))):
        if _can_bind(host, port):
            return port
    raise CapacityError(
        f"no free port in {PORT_RANGE.start}-{PORT_RANGE.stop - 1} after {_TRIES} tries: "
        "delete servers that are not needed"
    )


def _can_bind(host: str, port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True
