"""The steps of the first boot; each is skipped when it was done before a kill."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from hydracore_agent.agentkey import AgentKey
from hydracore_agent.bootstrap.stages import Stages
from hydracore_agent.clock import Clock
from hydracore_agent.controlplane import ControlPlane
from hydracore_agent.errors import AgentError
from hydracore_agent.files import remove_tree, sync_folder
from hydracore_agent.identity import Identity
from hydracore_agent.layout import Layout
from hydracore_agent.orders.control import Control
from hydracore_agent.orders.download import Source
from hydracore_agent.orders.memory import OrderMemory
from hydracore_agent.orders.outcome import TaskEnded
from hydracore_agent.orders.releases import Releases
from hydracore_agent.orders.steps import Installer, Job
from hydracore_agent.settings import Settings

INSTALL_TIME = timedelta(minutes=10)
TASK = "first"


class InstallError(AgentError):
    """The first release could not be installed."""


@dataclass(frozen=True, slots=True)
class FirstBoot:
    """Takes a server from nothing to an installed release."""

    layout: Layout
    settings: Settings
    control_plane: ControlPlane
    stages: Stages
    installer: Installer
    now: Clock

    async def run(self) -> None:
        """Do what is still to be done.

        Raises:
            AgentError: a step failed; running again continues there.
            OSError: the disk does not take it.
        """
        await self.stages.reach("booting", "the launcher runs")
        identity = Identity.load(self.layout.identity)
        await self.stages.reach("cloud_init", "user data is read, folders and identity are made")
        key = AgentKey(self.layout.agent_key)
        if key.get() is None:
            await key.enrol(self.control_plane, self.settings.bootstrap_token, identity)
        await self.stages.reach("agent_enrolled", "the agent's key was issued")
        runtime = self.settings.runtime
        releases = Releases(self.layout)
        if releases.current() is None:
            await self._install(key, releases)
        await self.stages.reach(
            "bundle_installed", f"runtime {runtime.slug} {runtime.version} is installed"
        )

    async def _install(self, key: AgentKey, releases: Releases) -> None:
        runtime = self.settings.runtime
        url = self.control_plane.bundle_url(runtime.sha256)
        job = Job(
            runtime,
            Source(url, runtime.size_bytes, key.get()),
            self.layout.part(runtime.sha256),
            self.layout.staged(TASK),
        )
        control = Control(self.now() + INSTALL_TIME, self.now)
        try:
            resumed = job.part.exists()
            await self.installer.fetch(job, control)
            await self.installer.verify(job, control, resumed=resumed)
            await self.installer.unpack(job, control)
        except TaskEnded as ended:
            raise InstallError(
                f"runtime {runtime.slug} {runtime.version} is not installed: {ended}"
            ) from ended
        self._settle(job, releases)

    def _settle(self, job: Job, releases: Releases) -> None:
        runtime = self.settings.runtime
        target = self.layout.release(runtime.sha256)
        remove_tree(target)
        job.staged.replace(target)
        sync_folder(self.layout.releases)
        releases.set_current(runtime.sha256, None, None)
        job.part.unlink(missing_ok=True)
        memory = OrderMemory(self.layout.orders, self.layout.ledger, self.now)
        memory.note("installed", taskId=None, sha256=runtime.sha256, version=runtime.version)
