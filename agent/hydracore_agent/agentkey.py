"""The key for /agent/v1: kept on disk with mode 0600, fetched once."""

from __future__ import annotations

from pathlib import Path

from hydracore_agent.controlplane import ControlPlane
from hydracore_agent.files import write_atomic
from hydracore_agent.identity import Identity


class AgentKey:
    """The key on disk."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._value: str | None = None

    def get(self) -> str | None:
        """Return the key, or None before the enrolment.

        Raises:
            OSError: it cannot be read.
        """
        if self._value is None:
            try:
                self._value = self._path.read_text().strip() or None
            except FileNotFoundError:
                return None
        return self._value

    async def enrol(self, control_plane: ControlPlane, token: str, identity: Identity) -> None:
        """Fetch a key and keep it.

        Raises:
            UnreachableError, RefusedError: the control plane gave none.
            OSError: it could not be kept.
        """
        value = await control_plane.fetch_key(token, identity.public_key)
        write_atomic(self._path, value.encode() + b"\n")
        self._value = value
