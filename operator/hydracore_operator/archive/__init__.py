"""Finished objects: into history as soon as they end, out of the cluster after a time to live."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hydracore_crds import InstanceAction, Rollout
from hydracore_operator.archive.actions import ActionArchiver
from hydracore_operator.archive.kinds import Archivable
from hydracore_operator.archive.reconciler import ArchiveReconciler
from hydracore_operator.archive.recorder import StepRecorder
from hydracore_operator.archive.release import release
from hydracore_operator.archive.rollouts import RolloutArchiver
from hydracore_operator.context import Context


def archived_kinds(ctx: Context) -> Mapping[str, Archivable[Any]]:
    """Return every kind that is archived, by its plural name."""
    return {
        Rollout.KIND.plural: RolloutArchiver(ctx),
        InstanceAction.KIND.plural: ActionArchiver(ctx),
    }


__all__ = [
    "ActionArchiver",
    "Archivable",
    "ArchiveReconciler",
    "RolloutArchiver",
    "StepRecorder",
    "archived_kinds",
    "release",
]
