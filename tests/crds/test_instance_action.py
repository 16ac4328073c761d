"""InstanceAction at the real API server."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.crds.support import NOW, Door, changed, make

pytestmark = pytest.mark.cluster

GOOD = make(
    "InstanceAction",
    "restart-ada",
    {"instanceName": "ada", "action": "power-cycle", "requestedBy": "key:hc_live_1"},
)
UPDATES = make("InstanceAction", "update-ada", {"instanceName": "ada", "action": "apply-updates"})
NAME = GOOD["metadata"]["name"]


@pytest.fixture
def actions(door: Callable[..., Door], namespace: str) -> Door:
    return door("instanceactions", namespace)


async def test_a_new_action_shows_as_pending_without_a_write(actions: Door) -> None:
    stored = await actions.check(GOOD)
    assert stored["status"] == {"state": "pending"}
    assert stored["spec"] == GOOD["spec"]


@pytest.mark.parametrize(
    "action",
    ["power-cycle", "reboot", "run-diagnostics", "clear-circuit-breakers", "apply-updates"],
)
async def test_the_five_actions(actions: Door, action: str) -> None:
    await actions.check(changed(GOOD, "spec.action", action))


@pytest.mark.parametrize("field", ["instanceName", "action"])
async def test_required_fields(actions: Door, field: str) -> None:
    await actions.refuses(changed(GOOD, f"spec.{field}", None), f"spec.{field}: Required value")


@pytest.mark.parametrize(
    ("path", "value", "text"),
    [
        ("metadata.name", "a" * 64, "metadata.name may have at most 63 characters: shorten it"),
        ("spec.instanceName", "Bad", "is not the name of an object"),
        ("spec.instanceName", "a" * 64, "may not be more than 63"),
        ("spec.action", "explode", '"power-cycle", "reboot", "run-diagnostics"'),
        ("spec.requestedBy", "r" * 254, "may not be more than 253"),
    ],
)
async def test_bounds(actions: Door, path: str, value: Any, text: str) -> None:
    await actions.refuses(changed(GOOD, path, value), text)


async def test_parameters_are_for_apply_updates_only(actions: Door) -> None:
    parameters = {"force": True}
    stored = await actions.check(changed(UPDATES, "spec.parameters", parameters))
    assert stored["spec"]["parameters"] == {"force": True, "restartAgent": False}
    await actions.refuses(
        changed(GOOD, "spec.parameters", parameters),
        "parameters are for the action apply-updates only: leave them out",
    )


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("instanceName", "bob"),
        ("action", "apply-updates"),
        ("requestedBy", "somebody else"),
        ("requestedBy", None),
    ],
)
async def test_the_spec_stays(actions: Door, field: str, value: Any) -> None:
    await actions.create(GOOD)
    await actions.refuses_patch(
        NAME, {"spec": {field: value}}, f"{field} cannot be changed: create a new object instead"
    )


async def test_parameters_stay(actions: Door) -> None:
    await actions.create(changed(UPDATES, "spec.parameters", {"force": True}))
    for value in ({"force": False}, {"restartAgent": True}, None):
        await actions.refuses_patch(
            UPDATES["metadata"]["name"],
            {"spec": {"parameters": value}},
            "parameters cannot be changed: create a new object instead",
        )


@pytest.mark.parametrize(
    ("status", "text"),
    [
        ({"state": "lost"}, '"pending", "running", "succeeded", "failed", "uncertain"'),
        ({"durationMs": -1}, "greater than or equal to 0"),
        ({"message": "m" * 2049}, "may not be more than 2048"),
        ({"deadline": "late"}, "must be of type date-time"),
        ({"detail": {f"k{n}": "" for n in range(33)}}, "must have at most 32 items"),
        ({"detail": {"k": "v" * 1025}}, "may not be more than 1024"),
        ({"detail": {"": "v"}}, "keys must have 1 to 63 characters"),
        (
            {
                "diagnostics": {
                    "status": "healthy",
                    "checkedAt": NOW,
                    "uptimeSeconds": 1,
                    "subsystems": {f"s{n}": {"status": "healthy"} for n in range(33)},
                }
            },
            "must have at most 32 items",
        ),
    ],
)
async def test_status_is_bounded(actions: Door, status: dict[str, Any], text: str) -> None:
    await actions.create(GOOD)
    await actions.refuses_patch(NAME, {"status": status}, text, status=True)


async def test_columns(actions: Door, namespace: str, kubectl: Callable[..., Any]) -> None:
    await actions.create(GOOD)
    condition = {
        "type": "Succeeded",
        "status": "False",
        "reason": "InstanceNotRunning",
        "message": "",
        "lastTransitionTime": NOW,
    }
    status = {"state": "failed", "message": "not running", "conditions": [condition]}
    await actions.patch(NAME, {"status": status}, status=True)
    shown = kubectl("get", "hac", "-n", namespace, check=True).stdout.splitlines()
    assert shown[0].split() == ["NAME", "INSTANCE", "ACTION", "STATE", "REASON", "AGE"]
    expected = [NAME, "ada", "power-cycle", "failed", "InstanceNotRunning"]
    assert shown[1].split()[:5] == expected
    wide = kubectl("get", "hac", "-n", namespace, "-o", "wide", check=True).stdout
    assert "not running" in wide
    assert "key:hc_live_1" in wide


async def test_actions_are_selected_by_instance_and_by_what_they_do(
    actions: Door, namespace: str, kubectl: Callable[..., Any]
) -> None:
    await actions.create(GOOD)
    await actions.create(changed(UPDATES, "spec.instanceName", "bob"))
    for selector in ("spec.instanceName=bob", "spec.action=apply-updates"):
        args = ("get", "hac", "-n", namespace, "-o", "name", "--field-selector", selector)
        found = kubectl(*args, check=True).stdout
        assert found.strip() == "instanceaction.hydracore.io/update-ada"
