"""What people call an instance."""

from __future__ import annotations

from hydracore_crds import Instance


def label_of(instance: Instance) -> str:
    """Return the agent's name, or the object's where the agent has none."""
    return instance.spec.agent_name or instance.metadata.name
