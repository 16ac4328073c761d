"""Progress of the first boot: kept on disk, reported to the control plane."""

from __future__ import annotations

from pathlib import Path

from hydracore_agent.controlplane import ControlPlane
from hydracore_agent.errors import StateError
from hydracore_agent.fields import FieldError, Fields
from hydracore_agent.files import read_json, write_json

STAGES = ("booting", "cloud_init", "agent_enrolled", "bundle_installed", "healthy")
MAX_SEQ = 2**53
MAX_MESSAGE = 500
TRIES = 3


class Stages:
    """Reports stages; the number of a report rises, also across kills."""

    def __init__(self, path: Path, control_plane: ControlPlane, token: str) -> None:
        """Take up where ``boot.json`` ends.

        Raises:
            StateError: the file is damaged.
        """
        self._path = path
        self._control_plane = control_plane
        self._token = token
        try:
            fields = Fields(read_json(path) or {}, path.name)
            self._seq = fields.integer("seq", 0, MAX_SEQ, 0)
            self._done = [stage for stage in STAGES if stage in fields.items("done", most=16)]
        except (FieldError, ValueError) as error:
            raise StateError(f"{path} is damaged ({error}); remove it to boot afresh") from error

    @property
    def reached(self) -> str:
        """The last stage reported."""
        return self._done[-1] if self._done else STAGES[0]

    def is_done(self, stage: str) -> bool:
        """Return whether the stage was reported."""
        return stage in self._done

    async def reach(self, stage: str, message: str) -> None:
        """Report a stage, once.

        Raises:
            UnreachableError, RefusedError: the control plane did not take it.
            OSError: the progress cannot be kept.
        """
        if self.is_done(stage):
            return
        await self._report(stage, "info", message)
        self.mark(stage)

    def mark(self, stage: str) -> None:
        """Keep that the stage needs no report any more.

        Raises:
            OSError: it cannot be kept.
        """
        self._done.append(stage)
        self._keep()

    async def complain(self, message: str) -> None:
        """Report an error at the stage reached.

        Raises:
            UnreachableError, RefusedError: the control plane did not take it.
            OSError: the progress cannot be kept.
        """
        await self._report(self.reached, "error", message)

    async def _report(self, stage: str, level: str, message: str) -> None:
        for _ in range(TRIES):
            self._seq += 1
            self._keep()
            accepted, last = await self._control_plane.report_stage(
                self._token, stage=stage, seq=self._seq, level=level, message=message[:MAX_MESSAGE]
            )
            if accepted or last < self._seq:
                return
            self._seq = last

    def _keep(self) -> None:
        write_json(self._path, {"seq": self._seq, "done": self._done})
