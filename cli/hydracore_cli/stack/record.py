"""What a supervisor says about itself, for the commands that look at a stack."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ValidationError

from hydracore_devcluster.layout import write_private

Phase = Literal["starting", "ready", "stopping"]


class StackRecord(BaseModel):
    """One run of a stack; without secrets.

    Attributes:
        pid: The supervisor.
        phase: How far it is.
        api_port: Port of the API; kept over runs, since agents call home there.
        status_port: Port of the operator's own status.
        kubeconfig: With which people reach the cluster.
        external: Whether the cluster is somebody else's (KUBECONFIG).
        kubectl: A kubectl that fits, if there is one.
        namespace: The first tenant's namespace.
        api_url: Where the API listens.
    """

    pid: int
    phase: Phase = "starting"
    api_port: int = 0
    status_port: int = 0
    kubeconfig: str = ""
    external: bool = False
    kubectl: str | None = None
    namespace: str = ""
    api_url: str = ""

    def save(self, path: Path) -> None:
        """Write the record in one step."""
        write_private(path, self.model_dump_json(indent=1).encode())


def load_record(path: Path) -> StackRecord | None:
    """Read the record of the present or last run; None where there is none."""
    try:
        return StackRecord.model_validate_json(path.read_bytes())
    except (FileNotFoundError, ValidationError):
        return None
