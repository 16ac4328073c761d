from __future__ import annotations

from typing import Any

import pytest

from hydracore_core.policies import effective_mode, parallel_limit, tenant_mode
from hydracore_crds import UpdatePolicy
from hydracore_crds.instance import InstanceUpdatePolicy
from hydracore_crds.update_policy import UpdatePolicySpec

FIELDS = {"runtime": "runtime", "skill": "skills", "mcp-server": "mcp_servers"}


@pytest.mark.parametrize("component", FIELDS)
def test_instance_before_tenant_before_platform(component: Any) -> None:
    field = FIELDS[component]
    own = InstanceUpdatePolicy(**{field: "disabled"})
    tenant = UpdatePolicy(spec=UpdatePolicySpec(**{field: "auto"}))

    both = effective_mode(component, own, tenant)
    assert (both.mode, both.source, both.override) == ("disabled", "instance_override", "disabled")
    without_own = effective_mode(component, InstanceUpdatePolicy(), tenant)
    assert (without_own.mode, without_own.source) == ("auto", "tenant_default")
    assert without_own.override is None
    neither = effective_mode(component, None, UpdatePolicy())
    assert (neither.mode, neither.source) == ("notify", "platform_default")
    assert effective_mode(component, None, None) == neither
    assert tenant_mode(component, tenant) == "auto"
    assert tenant_mode(component, None) == "notify"


@pytest.mark.parametrize("component", FIELDS)
def test_a_wish_for_one_component_says_nothing_about_others(component: Any) -> None:
    others = {field: "disabled" for name, field in FIELDS.items() if name != component}
    own = InstanceUpdatePolicy(**others)
    tenant = UpdatePolicy(spec=UpdatePolicySpec(**others))
    assert effective_mode(component, own, tenant).source == "platform_default"


def test_limit_of_the_tenant_else_the_platforms() -> None:
    assert parallel_limit(None) == 2
    assert parallel_limit(UpdatePolicy(spec=UpdatePolicySpec(max_parallel_rollouts=7))) == 7
