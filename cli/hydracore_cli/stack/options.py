"""What ``up`` hands to the supervisor."""

from __future__ import annotations

from pydantic import BaseModel

from hydracore_cli.errors import CliError
from hydracore_devcluster import ports


class StackOptions(BaseModel):
    """How to run a stack.

    Attributes:
        api_port: Port of the API; 0 keeps the last one, or takes a free one.
        owned: The stack, local servers too, ends with the process that started it.
    """

    api_port: int = 0
    owned: bool = False


def check_port(port: int) -> None:
    """Return if the port can be had; 0 always can.

    Raises:
        CliError: another process has it.
    """
    if port and not ports.is_free(port):
        raise CliError(
            f"port {port} is taken by another process: name another with --api-port, or leave "
            "the option out to take a free one"
        )
