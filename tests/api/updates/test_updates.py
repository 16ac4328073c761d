"""Update policies and available updates."""

from __future__ import annotations

from typing import Any

import pytest

from hydracore_crds import Bundle, Instance, UpdatePolicy
from hydracore_crds.names import MANAGED_BY_LABEL
from tests.api.support.world import World, condition

FLEET = "/v1/instances/fleet/updates/policy"
PLATFORM = {
    "runtime_default": "notify",
    "skills_default": "notify",
    "mcp_servers_default": "notify",
    "max_parallel_rollouts": 2,
    "maintenance_window_start_hour_utc": None,
    "maintenance_window_end_hour_utc": None,
    "windows": [],
    "opening_jitter_seconds": 0,
}
NOT_FROZEN = {
    "platform_frozen": False,
    "platform_frozen_until": None,
    "platform_message": None,
}
OPEN = {
    "window_open": True,
    "next_opens_at": None,
    "window_message": "there is no window: updates may always start",
    **NOT_FROZEN,
}


async def patch(world: World, **body: Any) -> Any:
    return await world.call("PATCH", FLEET, json=body)


def spoken(answer: Any) -> dict[str, Any]:
    """What was said of the policy, without what holds by it now."""
    return {name: value for name, value in answer.json().items() if name not in OPEN}


async def test_without_a_policy_the_platforms_defaults_hold(world: World) -> None:
    assert (await world.call("GET", FLEET)).json() == PLATFORM | OPEN
    assert world.kube.of(UpdatePolicy) == []


@pytest.mark.parametrize("wrong", [True, "7", 7.5])
async def test_numbers_are_not_guessed(world: World, wrong: object) -> None:
    answer = await patch(world, max_parallel_rollouts=wrong)
    assert answer.status_code == 422
    hours = dict.fromkeys(
        ("maintenance_window_start_hour_utc", "maintenance_window_end_hour_utc"), wrong
    )
    assert (await patch(world, **hours)).status_code == 422
    assert world.kube.of(UpdatePolicy) == []


async def test_absent_stays_and_null_clears(world: World) -> None:
    changed = await patch(
        world,
        runtime_default="auto",
        max_parallel_rollouts=7,
        maintenance_window_start_hour_utc=22,
        maintenance_window_end_hour_utc=4,
    )
    wanted = {
        **PLATFORM,
        "runtime_default": "auto",
        "max_parallel_rollouts": 7,
        "maintenance_window_start_hour_utc": 22,
        "maintenance_window_end_hour_utc": 4,
    }
    assert (changed.status_code, spoken(changed)) == (200, wanted)
    (policy,) = world.kube.of(UpdatePolicy)
    assert policy.metadata.name == "default"
    assert policy.metadata.labels == {MANAGED_BY_LABEL: "api"}
    assert spoken(await patch(world)) == wanted
    assert spoken(await patch(world, skills_default="disabled")) == {
        **wanted,
        "skills_default": "disabled",
    }
    assert (await patch(world, maintenance_window_end_hour_utc=6)).json()[
        "maintenance_window_start_hour_utc"
    ] == 22
    cleared = await patch(world, **dict.fromkeys(PLATFORM))
    assert cleared.json() == PLATFORM | OPEN
    assert (await world.call("GET", FLEET)).json() == PLATFORM | OPEN


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"maintenance_window_start_hour_utc": 5}, "maintenance_window_end_hour_utc"),
        ({"maintenance_window_end_hour_utc": 5}, "maintenance_window_start_hour_utc"),
        ({"maintenance_window_start_hour_utc": 24}, "maintenance_window_start_hour_utc"),
        ({"max_parallel_rollouts": 0}, "max_parallel_rollouts"),
        ({"max_parallel_rollouts": 501}, "max_parallel_rollouts"),
        ({"max_parallel_rollouts": "2x"}, "max_parallel_rollouts"),
        ({"runtime_default": "sometimes"}, "runtime_default"),
        ({"skills_default": "auto"}, "skills_default"),
        ({"mcp_servers_default": "auto"}, "mcp_servers_default"),
        ({"colour": 1}, "colour"),
    ],
)
async def test_refusals_name_the_field(world: World, body: dict[str, Any], field: str) -> None:
    answer = await patch(world, **body)
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["body", field]
    assert world.kube.of(UpdatePolicy) == []


async def test_one_end_of_a_window_cannot_be_cleared(world: World) -> None:
    await patch(world, maintenance_window_start_hour_utc=1, maintenance_window_end_hour_utc=2)
    answer = await patch(world, maintenance_window_start_hour_utc=None)
    assert answer.status_code == 422


async def test_changes_of_others_are_kept(world: World) -> None:
    await patch(world, max_parallel_rollouts=3)
    kubectl = {"spec": {"runtime": "disabled"}}
    world.kube.before_patch = [lambda: world.kube.change(UpdatePolicy, "default", "acme", kubectl)]
    found = (await patch(world, max_parallel_rollouts=4)).json()
    assert (found["runtime_default"], found["max_parallel_rollouts"]) == ("disabled", 4)


async def test_tenants_have_policies_of_their_own(world: World) -> None:
    await patch(world, max_parallel_rollouts=9)
    theirs = await world.call("GET", FLEET, headers=await world.key("other"))
    assert theirs.json() == PLATFORM | OPEN


async def test_an_instances_overrides(world: World) -> None:
    one = world.instance("one")
    path = f"/v1/instances/{one.spec.id}/updates/policy"
    empty = (await world.call("PATCH", path, json={})).json()
    assert empty == {
        "runtime": "notify",
        "runtime_override": None,
        "runtime_source": "platform_default",
        "runtime_auto_supported": True,
        "skills": "notify",
        "skills_override": None,
        "skills_source": "platform_default",
        "skills_auto_supported": False,
        "mcp_servers": "notify",
        "mcp_servers_override": None,
        "mcp_servers_source": "platform_default",
        "mcp_servers_auto_supported": False,
    }
    await patch(world, skills_default="disabled")
    found = (await world.call("PATCH", path, json={"runtime": "disabled"})).json()
    assert (found["runtime"], found["runtime_override"], found["runtime_source"]) == (
        "disabled",
        "disabled",
        "instance_override",
    )
    assert (found["skills"], found["skills_override"], found["skills_source"]) == (
        "disabled",
        None,
        "tenant_default",
    )
    found = (await world.call("PATCH", path, json={"mcp_servers": "notify"})).json()
    assert (found["runtime_override"], found["mcp_servers_source"]) == (
        "disabled",
        "instance_override",
    )
    found = (await world.call("PATCH", path, json={"runtime": None})).json()
    assert (found["runtime_override"], found["runtime_source"]) == (None, "platform_default")
    refused = await world.call("PATCH", path, json={"skills": "auto"})
    assert refused.status_code == 422
    assert refused.json()["detail"][0]["loc"] == ["body", "skills"]


async def available(world: World, instance: Instance) -> Any:
    answer = await world.call("GET", f"/v1/instances/{instance.spec.id}/updates/available")
    assert answer.status_code == 200
    return answer.json()


async def test_a_newer_runtime(world: World) -> None:
    one = world.instance("one")
    found = await available(world, one)
    assert found["runtime"]["available_version"] is None
    assert found["runtime"]["update_reason"] == "up_to_date"
    world.bundle("1.0.0")
    world.bundle("1.10.0")
    world.bundle("1.9.0")
    world.bundle("2.0.0", ready=False)
    found = await available(world, one)
    assert found["runtime"] == {
        "component_type": "runtime",
        "slug": "expressclaw",
        "current_version": "1.0.0",
        "available_version": "1.10.0",
        "has_update": True,
        "update_reason": "newer_version",
        "changelog": "what is new in 1.10.0",
    }
    assert (found["total_available"], found["versions_reported_at"]) == (1, None)
    await patch(world, runtime_default="disabled")
    found = await available(world, one)
    assert found["runtime"]["has_update"] is False
    assert found["runtime"]["update_reason"] == "disabled"
    assert found["total_available"] == 0
    assert found["update_policy"]["runtime_source"] == "tenant_default"


async def test_reported_skills_and_servers(world: World) -> None:
    one = world.instance("one")
    assert one.spec.id is not None
    world.bundle("1.1.0", component="skill", slug="mail")
    versions = {
        "runtime": None,
        "skills": [
            {"slug": "mail", "version": "1.0.0"},
            {"slug": "own", "version": "not-semver"},
        ],
        "mcp_servers": [{"slug": "files", "version": "0.1.0"}],
    }
    await world.history.health.heartbeat(
        one.spec.id, at=world.clock(), versions=versions, health_status="healthy", uptime_seconds=1
    )
    found = await available(world, one)
    assert [(s["slug"], s["update_reason"]) for s in found["skills"]] == [
        ("mail", "newer_version"),
        ("own", "not_reported"),
    ]
    assert found["mcp_servers"][0]["update_reason"] == "up_to_date"
    assert found["total_available"] == 1
    assert found["versions_reported_at"] == "2030-05-01T12:00:00.000Z"


async def test_not_reported_yet(world: World) -> None:
    one = world.instance("one", status={"state": "provisioning"})
    world.bundle("1.1.0")
    found = await available(world, one)
    assert found["runtime"]["update_reason"] == "not_reported"
    assert found["runtime"]["current_version"] is None


async def test_a_runtime_in_quarantine_is_named_but_not_offered(world: World) -> None:
    one = world.instance("one")
    bad = world.bundle("1.1.0")
    shut = {**condition("Quarantined", true=True), "reason": "RolloutHalted"}
    conditions = [*bad.status.to_wire()["conditions"], shut]
    world.kube.change(Bundle, bad.metadata.name, None, {"status": {"conditions": conditions}})
    found = await available(world, one)
    assert found["runtime"]["available_version"] == "1.1.0"
    assert found["runtime"]["update_reason"] == "quarantined"
    assert (found["runtime"]["has_update"], found["total_available"]) == (False, 0)
    world.bundle("1.2.0")
    assert (await available(world, one))["runtime"]["update_reason"] == "newer_version"
