"""What all acts of the demo share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.markup import escape

from hydracore_artifacts.store import ArtifactStore
from hydracore_cli.demo.agents import Agents
from hydracore_cli.demo.checks import Checks
from hydracore_cli.demo.labels import label_of
from hydracore_cli.demo.rest import Rest
from hydracore_cli.output import Reporter
from hydracore_cli.stack.layout import StackLayout
from hydracore_cli.stack.record import StackRecord
from hydracore_crds import Instance
from hydracore_crds.bundle import Bundle
from hydracore_kube import KubeClient

TENANT = "globex"
PLUGINS = Path(__file__).parent / "plugins"


@dataclass(slots=True)
class Scene:
    """The running stack, as the acts use it.

    Attributes:
        rest: The API with the demo tenant's key.
        kube: The cluster with an administrator's rights.
        agents: The demo's own look at the agents.
        limit: Most targets in flight that the tenant's policy allows.
        first: The runtime that fresh instances install.
    """

    layout: StackLayout
    record: StackRecord
    reporter: Reporter
    checks: Checks
    kube: KubeClient
    store: ArtifactStore
    agents: Agents
    rest: Rest
    limit: int
    first: Bundle

    async def instances(self) -> list[Instance]:
        """Return the tenant's instances, sorted by what people call them."""
        found, _ = await self.kube.list(Instance, TENANT)
        return sorted(found, key=label_of)

    async def labels(self) -> dict[str, str]:
        """Return what people call the instances, by the instances' names."""
        return {i.metadata.name: label_of(i) for i in await self.instances()}

    def check(self, claim: str, *, holds: bool, found: str) -> None:
        """Make a check and show it."""
        check = self.checks.that(claim, holds=holds, found=found)
        style = "green" if check.holds else "bold red"
        self.reporter.end()
        self.reporter.console.print(f"  [{style}]{escape(check.line)}[/]")


def names(items: Sequence[str]) -> str:
    """Return names for a sentence; ``none`` where there are none."""
    return ", ".join(sorted(items)) or "none"
