"""Finished objects: into history as soon as they end, out of the cluster after a time to live."""

from hydracore_operator.archive.kinds import Archivable
from hydracore_operator.archive.reconciler import ArchiveReconciler
from hydracore_operator.archive.release import release
from hydracore_operator.archive.rollouts import RolloutArchiver

__all__ = ["Archivable", "ArchiveReconciler", "RolloutArchiver", "release"]
