"""What a contender is told: one JSON file, the same for all."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from hydracore_crds.base import Wire


class Agent(Wire):
    """One agent of the fleet."""

    instance_name: str
    instance_id: str
    url: str
    public_key: str


class Bundle(Wire):
    """What is delivered, as an order names it."""

    slug: str
    version: str
    sha256: str
    size_bytes: int
    key_id: str
    signature: str


class Job(Wire):
    """One rollout.

    Attributes:
        kubeconfig: Path of an administrator's kubeconfig: rights are not what is compared.
        tenant: Namespace of the Instances, one for each agent.
        namespace: Where the Rollout appears when the clock starts, and where its targets belong.
        rollout: The Rollout's name.
        bundle_name: The Bundle that it names.
        limit: Orders in flight at most.
        ask_seconds: Between an order and the question what became of it, and between questions.
        epoch: Goes into orders; agents refuse lower ones than they have heard.
        key_file: The control plane's private key (PEM).
        bundle: The same Bundle's content, and
        agents: the agents, both for those who do not read from the cluster.
    """

    kubeconfig: str
    tenant: str
    namespace: str
    rollout: str
    bundle_name: str
    limit: int
    ask_seconds: float
    epoch: int
    key_file: str
    bundle: Bundle
    agents: list[Agent]

    @classmethod
    def read(cls, path: str | Path) -> Self:
        """Read a job's file."""
        return cls.model_validate_json(Path(path).read_bytes())

    def write(self, path: Path) -> None:
        """Write it; no secret stands in it, only where the key lies."""
        path.write_text(self.model_dump_json(by_alias=True))


def ask_seconds(order_s: float) -> float:
    """Return how often contenders ask, for orders that take so long.

    A fifth of an order, so that neither slots wait long for a question nor agents are asked
    without end; HydraCore gets no such hint, it learns.
    """
    return max(0.25, order_s / 5)
