"""Binding the address that the user data names."""

from __future__ import annotations

import errno
import socket

from hydracore_agent.errors import PortTakenError, SettingsError, describe_os_error
from hydracore_agent.settings import Listen

BACKLOG = 128


def check_free(listen: Listen) -> None:
    """Return if the address can be had now.

    Raises:
        PortTakenError, SettingsError: as :func:`bind`.
    """
    bind(listen, backlog=None).close()


def bind(listen: Listen, *, backlog: int | None = BACKLOG) -> socket.socket:
    """Return a socket that is bound and, with a backlog, listens.

    Raises:
        PortTakenError: another program has the address.
        SettingsError: this machine does not have the address, or the port is not allowed.
    """
    family = socket.AF_INET6 if ":" in listen.host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((listen.host, listen.port))
        if backlog is not None:
            sock.listen(backlog)
    except OSError as error:
        sock.close()
        where = f"{listen.host} port {listen.port}"
        if error.errno == errno.EADDRINUSE:
            raise PortTakenError(
                f"{where} is taken by another program: stop it, or give this server another "
                "listen.port in user-data.json"
            ) from error
        raise SettingsError(f"cannot listen on {where}: {describe_os_error(error)}") from error
    sock.setblocking(False)  # noqa: FBT003
    return sock
