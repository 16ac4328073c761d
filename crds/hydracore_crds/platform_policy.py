"""PlatformPolicy: what holds for all tenants at once; the one named ``default`` counts."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field, StringConstraints

from hydracore_crds.base import Column, Conditions, Kind, Resource, Time, Wire
from hydracore_crds.singleton import only

DEFAULT_NAME = "default"

MAX_CAP = 10_000

FreezeReason = Annotated[str, StringConstraints(min_length=1, max_length=512)]

UNTIL_PATTERN = r"^2\d{3}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,9})?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)$"
"""RFC 3339 with its zone. The API server's format date-time takes more than can be read here, and a
freeze that cannot be read would not hold."""


class PlatformFreeze(Wire):
    """Nothing starts in any tenant; what is in flight ends normally."""

    reason: FreezeReason = Field(description="Why, for the tenants: they all read it.")
    until: Time | None = Field(
        default=None,
        json_schema_extra={"pattern": UNTIL_PATTERN},
        description="When it ends by itself (RFC 3339 with a zone); absent: when it is removed.",
    )


class PlatformPolicySpec(Wire):
    """What those who run the platform want."""

    freeze: PlatformFreeze | None = Field(
        default=None, description="Stops every start of updates, also those with overrideWindow."
    )
    max_parallel_rollouts: int | None = Field(
        default=None,
        ge=1,
        le=MAX_CAP,
        description="How many targets may be in flight at once over all tenants, shared fairly; "
        "absent: as many as their own limits allow.",
    )


class PlatformPolicyStatus(Wire):
    """What holds now. Written on change only."""

    observed_generation: int | None = None
    conditions: Conditions = Field(default_factory=list)
    in_flight: int | None = Field(
        default=None, ge=0, description="Targets in flight, over all tenants."
    )


class PlatformPolicy(Resource):
    """What holds for all tenants (a singleton named ``default``)."""

    KIND: ClassVar[Kind] = Kind(
        kind="PlatformPolicy",
        plural="platformpolicies",
        short="hpp",
        namespaced=False,
        columns=(
            Column("Frozen", '.status.conditions[?(@.type=="Frozen")].status'),
            # As a text: kubectl shows dates as ages, and those to come as <invalid>.
            Column("Until", ".spec.freeze.until"),
            Column("Parallel", ".spec.maxParallelRollouts", "integer"),
            Column("In-Flight", ".status.inFlight", "integer"),
            Column("Reason", ".spec.freeze.reason", priority=1),
            Column("Age", ".metadata.creationTimestamp", "date"),
        ),
        rules=(only(DEFAULT_NAME, "a PlatformPolicy", "the whole platform"),),
    )

    kind: str = "PlatformPolicy"
    spec: PlatformPolicySpec = Field(default_factory=PlatformPolicySpec)
    status: PlatformPolicyStatus = Field(default_factory=PlatformPolicyStatus)
