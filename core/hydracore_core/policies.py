"""Which update policy holds: the instance's own, else its tenant's, else the platform's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from hydracore_crds.bundle import Component
from hydracore_crds.instance import InstanceUpdatePolicy
from hydracore_crds.update_policy import (
    DEFAULT_MAX_PARALLEL,
    PLATFORM_MODE,
    UpdateMode,
    UpdatePolicy,
)

PolicySource = Literal["instance_override", "tenant_default", "platform_default"]


@dataclass(frozen=True, slots=True)
class EffectiveMode:
    """The mode that holds for one component of one instance.

    Attributes:
        mode: The mode.
        source: Who said so, in REST's words.
        override: The instance's own wish; None if it has none.
    """

    mode: UpdateMode
    source: PolicySource
    override: UpdateMode | None


def effective_mode(
    component: Component, instance: InstanceUpdatePolicy | None, tenant: UpdatePolicy | None
) -> EffectiveMode:
    """Return the mode for a component: instance before tenant before platform.

    Args:
        component: Which kind of component.
        instance: ``Instance.spec.updatePolicy``; None if absent.
        tenant: The tenant's UpdatePolicy; None if there is none.
    """
    own = _own(component, instance)
    if own is not None:
        return EffectiveMode(mode=own, source="instance_override", override=own)
    wanted = _tenants(component, tenant)
    if wanted is not None:
        return EffectiveMode(mode=wanted, source="tenant_default", override=None)
    return EffectiveMode(mode=PLATFORM_MODE, source="platform_default", override=None)


def tenant_mode(component: Component, tenant: UpdatePolicy | None) -> UpdateMode:
    """Return the mode for a component of instances that say nothing themselves."""
    return _tenants(component, tenant) or PLATFORM_MODE


def parallel_limit(tenant: UpdatePolicy | None) -> int:
    """Return how many targets may be in flight in the tenant at once (1 to 500)."""
    return DEFAULT_MAX_PARALLEL if tenant is None else tenant.spec.max_parallel_rollouts


def _own(component: Component, policy: InstanceUpdatePolicy | None) -> UpdateMode | None:
    if policy is None:
        return None
    if component == "runtime":
        return policy.runtime
    return policy.skills if component == "skill" else policy.mcp_servers


def _tenants(component: Component, policy: UpdatePolicy | None) -> UpdateMode | None:
    if policy is None:
        return None
    if component == "runtime":
        return policy.spec.runtime
    return policy.spec.skills if component == "skill" else policy.spec.mcp_servers
