"""Where an instance's agent is, and the order that it is sent. Pure."""

from __future__ import annotations

from datetime import datetime

from hydracore_agentclient import AgentEndpoint, Order
from hydracore_crds import Instance
from hydracore_crds.rollout import PinnedArtifact


class NotAddressableError(Exception):
    """The instance has no agent that could be asked and believed; the message says why."""


def endpoint_of(instance: Instance | None, *, instance_id: str) -> AgentEndpoint:
    """Return the address and the identity of an instance's agent.

    Args:
        instance: The instance as it is known.
        instance_id: Whom the target is for; a namesake is not asked.

    Raises:
        NotAddressableError: There is none: the instance is gone, another, or not enrolled.
    """
    if instance is None or instance.spec.id != instance_id:
        raise NotAddressableError("the instance is gone")
    status = instance.status
    if not status.agent_url:
        raise NotAddressableError("the instance has no agent address yet")
    if not status.agent_public_key:
        raise NotAddressableError("the agent has not enrolled, so nothing it says can be proved")
    return AgentEndpoint(
        url=status.agent_url, instance_id=instance_id, public_key=status.agent_public_key
    )


def order_for(
    artifact: PinnedArtifact,
    *,
    task_id: str,
    epoch: int,
    not_after: datetime,
    agent_api_url: str,
    force: bool,
) -> Order:
    """Build the order that delivers a rollout's pinned artifact.

    Args:
        artifact: What to deliver.
        task_id: The order's id.
        epoch: The sender's leadership.
        not_after: From then on the agent neither starts nor switches.
        agent_api_url: Where agents reach the API.
        force: Install also where the digest is already there.
    """
    return Order(
        task_id=task_id,
        epoch=epoch,
        not_after=not_after,
        slug=artifact.slug,
        version=artifact.version,
        sha256=artifact.sha256,
        size_bytes=artifact.size_bytes,
        key_id=artifact.key_id,
        signature=artifact.signature,
        url=f"{agent_api_url.rstrip('/')}/agent/v1/bundles/{artifact.sha256}",
        force=force,
    )
