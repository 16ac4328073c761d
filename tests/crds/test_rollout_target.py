"""RolloutTarget at the real API server."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.crds.support import OTHER_SHA, OTHER_UUID, SHA, UUID, Door, changed, make

pytestmark = pytest.mark.cluster

GOOD = make(
    "RolloutTarget",
    "one-00000",
    {
        "rolloutName": "one",
        "instanceName": "ada",
        "instanceId": UUID,
        "bundleHash": SHA,
        "order": 0,
    },
)
NAME = GOOD["metadata"]["name"]


@pytest.fixture
def targets(door: Callable[..., Door], namespace: str) -> Door:
    return door("rollouttargets", namespace)


async def test_defaults(targets: Door) -> None:
    spec = (await targets.check(GOOD))["spec"]
    defaults = {"scheduledCountdownSeconds": 0, "attempt": 1, "wave": 1}
    assert spec == {**GOOD["spec"], **defaults}


@pytest.mark.parametrize(
    "field", ["rolloutName", "instanceName", "instanceId", "bundleHash", "order"]
)
async def test_required_fields(targets: Door, field: str) -> None:
    await targets.refuses(changed(GOOD, f"spec.{field}", None), f"spec.{field}: Required value")


@pytest.mark.parametrize(
    ("path", "value", "text"),
    [
        ("metadata.name", "a" * 64, "metadata.name may have at most 63 characters: shorten it"),
        ("spec.rolloutName", "Bad", "is not the name of an object"),
        ("spec.rolloutName", "a" * 64, "may not be more than 63"),
        ("spec.instanceName", "Bad", "is not the name of an object"),
        ("spec.instanceName", "a" * 64, "may not be more than 63"),
        ("spec.instanceId", "ada", "should match"),
        ("spec.bundleHash", "abc", "should match"),
        ("spec.order", -1, "greater than or equal to 0"),
        ("spec.scheduledCountdownSeconds", -1, "greater than or equal to 0"),
        ("spec.attempt", 0, "greater than or equal to 1"),
        ("spec.attempt", 1001, "less than or equal to 1000"),
    ],
)
async def test_bounds(targets: Door, path: str, value: Any, text: str) -> None:
    await targets.refuses(changed(GOOD, path, value), text)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("rolloutName", "two"),
        ("instanceName", "bob"),
        ("instanceId", OTHER_UUID),
        ("bundleHash", OTHER_SHA),
        ("order", 1),
        ("scheduledCountdownSeconds", 30),
    ],
)
async def test_what_was_planned_does_not_change(targets: Door, field: str, value: Any) -> None:
    await targets.create(GOOD)
    await targets.refuses_patch(
        NAME,
        {"spec": {field: value}},
        f"{field} cannot be changed: create a new object instead",
    )


@pytest.mark.parametrize("state", ["failed", "uncertain"])
async def test_a_retry_raises_the_attempt_by_one(targets: Door, state: str) -> None:
    await targets.create(GOOD)
    await targets.patch(NAME, {"status": {"state": state, "attempt": 1}}, status=True)
    after = await targets.patch(NAME, {"spec": {"attempt": 2}})
    assert after["spec"]["attempt"] == 2


@pytest.mark.parametrize("attempt", [3, 1000])
async def test_an_attempt_is_never_left_out(targets: Door, attempt: int) -> None:
    await targets.create(GOOD)
    await targets.patch(NAME, {"status": {"state": "failed"}}, status=True)
    await targets.refuses_patch(
        NAME,
        {"spec": {"attempt": attempt}},
        "attempt can only be raised by one: that is a retry",
    )


async def test_an_attempt_is_never_taken_back(targets: Door) -> None:
    await targets.create(changed(GOOD, "spec.attempt", 2))
    await targets.patch(NAME, {"status": {"state": "failed"}}, status=True)
    await targets.refuses_patch(
        NAME, {"spec": {"attempt": 1}}, "attempt can only be raised by one: that is a retry"
    )


@pytest.mark.parametrize("state", [None, "queued", "in_progress", "succeeded", "cancelled"])
async def test_only_failed_or_uncertain_targets_are_retried(
    targets: Door, state: str | None
) -> None:
    await targets.create(GOOD)
    if state is not None:
        await targets.patch(NAME, {"status": {"state": state}}, status=True)
    await targets.refuses_patch(
        NAME, {"spec": {"attempt": 2}}, "a retry needs a target that is failed or uncertain"
    )


async def test_labels_may_change_in_every_state(targets: Door) -> None:
    await targets.create(GOOD)
    await targets.patch(NAME, {"status": {"state": "succeeded"}}, status=True)
    after = await targets.patch(NAME, {"metadata": {"labels": {"seen": "yes"}}})
    assert after["metadata"]["labels"] == {"seen": "yes"}


@pytest.mark.parametrize(
    ("status", "text"),
    [
        ({"state": "lost"}, '"queued", "in_progress", "succeeded", "failed", "uncertain"'),
        ({"attempt": -1}, "greater than or equal to 0"),
        ({"taskId": "t"}, "should match"),
        ({"hostname": "h" * 254}, "may not be more than 253"),
        ({"deadline": "late"}, "must be of type date-time"),
        ({"lastResultStatus": "perhaps"}, '"activated", "rolled_back", "rejected", "timeout"'),
        ({"errorMessage": "m" * 2049}, "may not be more than 2048"),
        ({"detail": {f"k{n}": "" for n in range(33)}}, "must have at most 32 items"),
        ({"detail": {"k": "v" * 2049}}, "may not be more than 2048"),
        ({"detail": {"k" * 64: "v"}}, "keys must have 0 to 63 characters"),
    ],
)
async def test_status_is_bounded(targets: Door, status: dict[str, Any], text: str) -> None:
    await targets.create(GOOD)
    await targets.refuses_patch(NAME, {"status": status}, text, status=True)


async def test_columns(targets: Door, namespace: str, kubectl: Callable[..., Any]) -> None:
    await targets.create(GOOD)
    status = {"state": "failed", "lastResultStatus": "rolled_back", "errorMessage": "crashed"}
    await targets.patch(NAME, {"status": status}, status=True)
    shown = kubectl("get", "hrt", "-n", namespace, check=True).stdout.splitlines()
    columns = ["NAME", "ROLLOUT", "INSTANCE", "STATE", "ATTEMPT", "RESULT", "AGE"]
    assert shown[0].split() == columns
    assert shown[1].split()[:6] == [NAME, "one", "ada", "failed", "1", "rolled_back"]
    wide = kubectl("get", "hrt", "-n", namespace, "-o", "wide", check=True).stdout
    assert "crashed" in wide


async def test_targets_are_selected_by_rollout_and_instance(
    targets: Door, namespace: str, kubectl: Callable[..., Any]
) -> None:
    await targets.create(GOOD)
    other = changed(changed(GOOD, "metadata.name", "two-00000"), "spec.rolloutName", "two")
    await targets.create(changed(other, "spec.instanceName", "bob"))
    for selector in ("spec.rolloutName=two", "spec.instanceName=bob"):
        args = ("get", "hrt", "-n", namespace, "-o", "name", "--field-selector", selector)
        found = kubectl(*args, check=True).stdout
        assert found.strip() == "rollouttarget.hydracore.io/two-00000"
