"""A tenant's targets, sorted as their store keeps them."""

from __future__ import annotations

from collections.abc import Mapping

from hydracore_core.rollouts.filing import Filed, Shelf
from hydracore_crds import RolloutTarget
from hydracore_operator.context import Stores


def targets_of(stores: Stores, namespace: str) -> Filed:
    """Return all targets of a namespace, as they are now."""
    groups: Mapping[Shelf, Mapping[str, RolloutTarget]] = stores.targets.groups()
    return Filed(
        {
            shelf: tuple(targets.values())
            for shelf, targets in groups.items()
            if shelf.namespace == namespace
        }
    )
