"""Instance at the real API server."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.crds.support import (
    OTHER_SHA,
    OTHER_UUID,
    UUID,
    Door,
    changed,
    condition,
    make,
    unique,
)

pytestmark = pytest.mark.cluster

GOOD = make("Instance", "ada", {"className": "starter", "regionId": "loopback"})
FULL = {
    "id": UUID,
    "className": "starter",
    "regionId": "loopback",
    "agentName": "Ada",
    "customerId": "c-1",
    "userDisplayName": "Grace",
    "presetId": "custom",
    "manifestId": "m",
    "recipeId": "r",
    "websiteTemplateSlug": "w",
    "workflowSlugs": ["one", "two"],
    "idempotencyKey": "key",
    "workloadType": "agent",
    "runtimeType": "other",
    "updatePolicy": {"runtime": "auto", "skills": "notify", "mcpServers": "disabled"},
}


@pytest.fixture
def instances(door: Callable[..., Door], namespace: str) -> Door:
    return door("instances", namespace)


async def test_defaults(instances: Door) -> None:
    assert (await instances.check(GOOD))["spec"] == {
        **GOOD["spec"],
        "presetId": "personal_assistant",
        "workloadType": "agent",
        "runtimeType": "expressclaw",
    }


async def test_every_field_is_kept(instances: Door) -> None:
    assert (await instances.check(changed(GOOD, "spec", FULL)))["spec"] == FULL


@pytest.mark.parametrize("field", ["className", "regionId"])
async def test_required_fields(instances: Door, field: str) -> None:
    await instances.refuses(changed(GOOD, f"spec.{field}", None), f"spec.{field}: Required value")


@pytest.mark.parametrize(
    ("path", "value", "text"),
    [
        ("metadata.name", "a" * 64, "metadata.name may have at most 63 characters: shorten it"),
        ("spec.id", "1234", "should match"),
        ("spec.id", UUID.upper(), "should match"),
        ("spec.className", "Starter", "is not the name of an object"),
        ("spec.className", "", "should be at least 1 chars long"),
        ("spec.className", "a" * 64, "may not be more than 63"),
        ("spec.regionId", "", "should be at least 1 chars long"),
        ("spec.regionId", "r" * 81, "may not be more than 80"),
        ("spec.agentName", "x" * 254, "may not be more than 253"),
        ("spec.customerId", "x" * 254, "may not be more than 253"),
        ("spec.userDisplayName", "x" * 254, "may not be more than 253"),
        ("spec.presetId", "", "should be at least 1 chars long"),
        ("spec.presetId", "x" * 101, "may not be more than 100"),
        ("spec.manifestId", "x" * 254, "may not be more than 253"),
        ("spec.recipeId", "x" * 254, "may not be more than 253"),
        ("spec.websiteTemplateSlug", "x" * 254, "may not be more than 253"),
        ("spec.workflowSlugs", [f"w{i}" for i in range(65)], "must have at most 64 items"),
        ("spec.workflowSlugs", [""], "should be at least 1 chars long"),
        ("spec.workflowSlugs", ["x" * 101], "may not be more than 100"),
        ("spec.idempotencyKey", "", "should be at least 1 chars long"),
        ("spec.idempotencyKey", "x" * 256, "may not be more than 255"),
        ("spec.workloadType", "batch", 'supported values: "agent"'),
        ("spec.runtimeType", "Express Claw", "should match"),
        ("spec.runtimeType", "x" * 33, "may not be more than 32"),
        ("spec.updatePolicy", {"runtime": "never"}, '"auto", "notify", "disabled"'),
        ("spec.updatePolicy", {"skills": "never"}, '"auto", "notify", "disabled"'),
        ("spec.updatePolicy", {"mcpServers": "never"}, '"auto", "notify", "disabled"'),
    ],
)
async def test_bounds(instances: Door, path: str, value: Any, text: str) -> None:
    await instances.refuses(changed(GOOD, path, value), text)


async def test_the_id_is_set_once(instances: Door) -> None:
    await instances.create(GOOD)
    assert (await instances.patch("ada", {"spec": {"id": UUID}}))["spec"]["id"] == UUID
    for value in (OTHER_UUID, None):
        await instances.refuses_patch(
            "ada", {"spec": {"id": value}}, "id cannot be changed once it is set"
        )


@pytest.mark.parametrize(
    ("field", "value"),
    [("className", "other"), ("regionId", "other"), ("idempotencyKey", "other")],
)
async def test_what_was_ordered_does_not_change(instances: Door, field: str, value: str) -> None:
    await instances.create(changed(GOOD, "spec.idempotencyKey", "first"))
    await instances.refuses_patch(
        "ada",
        {"spec": {field: value}},
        f"{field} cannot be changed: create a new object instead",
    )


async def test_an_idempotency_key_neither_appears_nor_vanishes(instances: Door) -> None:
    message = "idempotencyKey cannot be changed: create a new object instead"
    await instances.create(GOOD)
    await instances.refuses_patch("ada", {"spec": {"idempotencyKey": "late"}}, message)
    keyed = changed(changed(GOOD, "metadata.name", "bob"), "spec.idempotencyKey", "first")
    await instances.create(keyed)
    await instances.refuses_patch("bob", {"spec": {"idempotencyKey": None}}, message)


async def test_the_rest_may_be_changed(instances: Door) -> None:
    await instances.create(GOOD)
    body = {"agentName": "Bob", "presetId": "other", "updatePolicy": {"runtime": "auto"}}
    after = (await instances.patch("ada", {"spec": body}))["spec"]
    assert {k: after[k] for k in body} == body


@pytest.mark.parametrize(
    ("status", "text"),
    [
        ({"state": "unsure"}, '"provisioning", "running", "failed", "error", "deleting"'),
        ({"provisioningStage": "lunch"}, '"ordered", "booting", "cloud_init", "agent_enrolled"'),
        ({"healthStatus": "fine"}, '"healthy", "degraded", "unhealthy", "unreachable", "unknown"'),
        ({"bootstrap": {"stage": "booting", "seq": -1}}, "greater than or equal to 0"),
        ({"bootstrap": {"stage": "booting"}}, "status.bootstrap.seq: Required value"),
        ({"provider": {"serverId": "1"}}, "status.provider.name: Required value"),
        ({"runtime": {"bundleHash": "x"}}, "should match"),
        ({"ipAddress": "1" * 46}, "may not be more than 45"),
        ({"agentUrl": "u" * 254}, "may not be more than 253"),
        ({"agentPublicKey": "k" * 65}, "may not be more than 64"),
        ({"errorCode": "e" * 64}, "may not be more than 63"),
        ({"errorMessage": "e" * 2049}, "may not be more than 2048"),
        ({"readyAt": "soon"}, "must be of type date-time"),
    ],
)
async def test_status_is_bounded(instances: Door, status: dict[str, Any], text: str) -> None:
    await instances.create(GOOD)
    await instances.refuses_patch("ada", {"status": status}, text, status=True)


async def test_columns(instances: Door, namespace: str, kubectl: Callable[..., Any]) -> None:
    await instances.create(GOOD)
    status = {
        "state": "running",
        "provisioningStage": "healthy",
        "runtime": {"version": "1.0.0", "bundleHash": OTHER_SHA},
        "healthStatus": "healthy",
        "ipAddress": "127.0.0.1",
        "conditions": [condition(reason="Healthy")],
    }
    await instances.patch("ada", {"status": status}, status=True)
    shown = kubectl("get", "hin", "-n", namespace, check=True).stdout.splitlines()
    assert shown[0].split() == ["NAME", "STATE", "READY", "STAGE", "RUNTIME", "HEALTH", "AGE"]
    assert shown[1].split()[:6] == ["ada", "running", "True", "healthy", "1.0.0", "healthy"]
    wide = kubectl("get", "hin", "-n", namespace, "-o", "wide", check=True).stdout
    assert {"starter", "loopback", "127.0.0.1", "Healthy"} <= set(wide.splitlines()[1].split())


async def test_selectable_fields(
    instances: Door, namespace: str, kubectl: Callable[..., Any]
) -> None:
    await instances.create(changed(GOOD, "spec.id", UUID))
    other = changed(changed(GOOD, "metadata.name", "bob"), "spec.className", unique("class"))
    await instances.create(other)

    def select(selector: str) -> str:
        found = kubectl(
            "get", "hin", "-n", namespace, "-o", "name", "--field-selector", selector, check=True
        )
        return str(found.stdout).strip()

    assert select(f"spec.id={UUID}") == "instance.hydracore.io/ada"
    assert select(f"spec.className={other['spec']['className']}") == "instance.hydracore.io/bob"
