"""The kind Rollout."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from hydracore_crds.base import Column, Kind, Resource
from hydracore_crds.rollout.spec import RolloutSpec
from hydracore_crds.rollout.status import RolloutStatus


class Rollout(Resource):
    """One bundle to many instances, within the window and the limits of the tenant's policy."""

    KIND: ClassVar[Kind] = Kind(
        kind="Rollout",
        plural="rollouts",
        short="hro",
        namespaced=True,
        columns=(
            Column("State", ".status.state"),
            Column("Bundle", ".spec.bundleName"),
            Column("Wave", ".status.wave", "integer"),
            Column("Total", ".status.counts.total", "integer"),
            Column("OK", ".status.counts.succeeded", "integer"),
            Column("Failed", ".status.counts.failed", "integer"),
            Column("Running", ".status.counts.inProgress", "integer"),
            Column("Queued", ".status.counts.queued", "integer", priority=1),
            Column("Uncertain", ".status.counts.uncertain", "integer", priority=1),
            Column("Skipped", ".status.skipped.count", "integer", priority=1),
            Column("Message", ".status.message", priority=1),
            Column("Age", ".metadata.creationTimestamp", "date"),
        ),
        selectable=(".spec.bundleName",),
    )

    kind: str = "Rollout"
    spec: RolloutSpec
    status: RolloutStatus = Field(default_factory=RolloutStatus)
