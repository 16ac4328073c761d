"""The spec of a Rollout: what is delivered to whom, and what may still change."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from hydracore_crds.base import Name, Rule, ShortText, Wire, immutable, rules
from hydracore_crds.rollout.selector import Selector
from hydracore_crds.rollout.strategy import Strategy

CancelMode = Literal["Graceful", "Force"]
Scope = Literal["fleet", "instance"]


class RolloutSpec(Wire):
    """What is wanted; immutable but for ``paused`` and ``cancel``."""

    model_config = rules(
        immutable(
            "bundleName",
            "scope",
            "selector",
            "instanceNames",
            "dynamic",
            "force",
            "onlyAuto",
            "overrideWindow",
            "initiatedBy",
            "initiatedFromIP",
            "strategy",
        ),
        [
            Rule(
                "!has(self.selector) || !has(self.instanceNames)",
                "selector and instanceNames exclude each other: remove one",
            ).to_schema(),
            Rule(
                "!(self.onlyAuto && self.force)",
                "onlyAuto and force exclude each other: a redeploy is a person's wish",
            ).to_schema(),
            Rule(
                "self.scope != 'instance' "
                "|| (has(self.instanceNames) && self.instanceNames.size() == 1)",
                "scope 'instance' needs instanceNames with exactly one name",
            ).to_schema(),
            Rule(
                "!has(oldSelf.cancel) || (has(self.cancel) "
                "&& (self.cancel == oldSelf.cancel || self.cancel == 'Force'))",
                "cancel cannot be taken back: it goes from absent to Graceful to Force",
            ).to_schema(),
        ],
    )

    bundle_name: Name = Field(description="The Bundle to roll out.")
    scope: Scope = "fleet"
    selector: Selector | None = None
    instance_names: list[Name] | None = Field(
        default=None,
        min_length=1,
        max_length=1000,
        json_schema_extra={"x-kubernetes-list-type": "set"},
    )
    dynamic: bool = Field(
        default=False,
        description="Instances that match later join, in the last wave, until it has ended.",
    )
    force: bool = Field(
        default=False, description="Also where the digest is already there: redeploy."
    )
    only_auto: bool = Field(
        default=False,
        description="Only instances whose update policy for runtimes is auto, and that are known "
        "to run an older version. So are the rollouts that the operator makes by itself.",
    )
    override_window: bool = Field(
        default=False, description="Start outside the maintenance window too (emergencies)."
    )
    paused: bool = Field(default=False, description="Start nothing more; what runs may finish.")
    cancel: CancelMode | None = Field(
        default=None, description="Graceful drops what is queued; Force also aborts what runs."
    )
    initiated_by: ShortText | None = None
    initiated_from_ip: Annotated[str, StringConstraints(max_length=45)] | None = Field(
        default=None, alias="initiatedFromIP"
    )
    strategy: Strategy = Field(default_factory=Strategy)
