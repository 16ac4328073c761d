"""Rollout at the real API server."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.crds.support import SHA, Door, changed, make

pytestmark = pytest.mark.cluster

GOOD = make("Rollout", "one", {"bundleName": "runtime-expressclaw-1.1.0"})
BOTH = "failureThreshold needs either count or percent, not both: remove one"

RAMP = {"startsPerMinute": 5, "successesPerStep": 10, "maxStartsPerMinute": 5}
ONE_SIZE = "a wave needs exactly one of count, percent and selector"


@pytest.fixture
def rollouts(door: Callable[..., Door], namespace: str) -> Door:
    return door("rollouts", namespace)


async def test_defaults(rollouts: Door) -> None:
    assert (await rollouts.check(GOOD))["spec"] == {
        **GOOD["spec"],
        "scope": "fleet",
        "dynamic": False,
        "force": False,
        "onlyAuto": False,
        "overrideWindow": False,
        "paused": False,
    }


async def test_a_strategy_gets_its_defaults(rollouts: Door) -> None:
    spec = (await rollouts.check(changed(GOOD, "spec.strategy", {"maxParallel": 5})))["spec"]
    assert spec["strategy"] == {
        "maxParallel": 5,
        "onFailure": "pause",
        "uncertainCountsAs": "failed",
        "retryLimit": 0,
        "retryBackoffSeconds": 30,
        "staggerSeconds": 0,
        "targetTimeoutSeconds": 900,
    }


@pytest.mark.parametrize(
    "spec",
    [
        {"selector": {"matchLabels": {"team": "a"}}},
        {"selector": {}},
        {"instanceNames": ["ada", "bob"]},
        {"scope": "instance", "instanceNames": ["ada"]},
        {"force": True, "overrideWindow": True, "paused": True, "cancel": "Graceful"},
        {"onlyAuto": True},
        {"initiatedBy": "grace", "initiatedFromIP": "2001:db8::1"},
        {"strategy": {"failureThreshold": {"count": 3}, "onFailure": "continue"}},
        {"strategy": {"failureThreshold": {"percent": 10, "minExecuted": 20}}},
        {"strategy": {"waves": [{"count": 1, "bakeSeconds": 60, "approval": True}]}},
        {"strategy": {"retryLimit": 10, "retryBackoffSeconds": 3600, "staggerSeconds": 3600}},
        {"strategy": {"ramp": RAMP}},
        {"strategy": {"ramp": {**RAMP, "increasePercent": 10, "maxStartsPerMinute": 600}}},
        {"strategy": {"uncertainCountsAs": "ignored", "progressDeadlineSeconds": 604800}},
        {"strategy": {"waves": [{"selector": {"matchLabels": {"ring": "a"}}}, {"percent": 5}]}},
    ],
)
async def test_good_rollouts(rollouts: Door, spec: dict[str, Any]) -> None:
    stored = (await rollouts.check(changed(GOOD, "spec", {**GOOD["spec"], **spec})))["spec"]
    assert {k: v for k, v in stored.items() if k in spec and k != "strategy"} == {
        k: v for k, v in spec.items() if k != "strategy"
    }


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (
            {"strategy": {"ramp": RAMP, "staggerSeconds": 1}},
            "ramp and staggerSeconds exclude each other: remove one",
        ),
        (
            {"strategy": {"ramp": {**RAMP, "maxStartsPerMinute": 4}}},
            "ramp.maxStartsPerMinute must be at least ramp.startsPerMinute: raise it",
        ),
        (
            {"selector": {}, "instanceNames": ["ada"]},
            "selector and instanceNames exclude each other: remove one",
        ),
        (
            {"scope": "instance"},
            "scope 'instance' needs instanceNames with exactly one name",
        ),
        (
            {"scope": "instance", "instanceNames": ["ada", "bob"]},
            "scope 'instance' needs instanceNames with exactly one name",
        ),
        ({"strategy": {"failureThreshold": {}}}, BOTH),
        ({"strategy": {"failureThreshold": {"count": 1, "percent": 1}}}, BOTH),
        (
            {"strategy": {"failureThreshold": {"count": 1, "minExecuted": 1}}},
            "failureThreshold.minExecuted goes with percent only",
        ),
        ({"strategy": {"waves": [{"name": "canary"}]}}, ONE_SIZE),
        (
            {"onlyAuto": True, "force": True},
            "onlyAuto and force exclude each other: a redeploy is a person's wish",
        ),
        ({"strategy": {"waves": [{"count": 1}, {"count": 1, "percent": 1}]}}, ONE_SIZE),
    ],
)
async def test_rules(rollouts: Door, spec: dict[str, Any], message: str) -> None:
    await rollouts.refuses(changed(GOOD, "spec", {**GOOD["spec"], **spec}), message)


@pytest.mark.parametrize(
    ("path", "value", "text"),
    [
        ("metadata.name", "a" * 64, "metadata.name may have at most 63 characters: shorten it"),
        ("spec.bundleName", None, "spec.bundleName: Required value"),
        ("spec.bundleName", "Bad Name", "is not the name of an object"),
        ("spec.bundleName", "b" * 64, "may not be more than 63"),
        ("spec.scope", "galaxy", 'supported values: "fleet", "instance"'),
        ("spec.cancel", "Later", 'supported values: "Graceful", "Force"'),
        ("spec.instanceNames", [], "should have at least 1 items"),
        ("spec.instanceNames", ["ada", "ada"], "Duplicate value"),
        ("spec.instanceNames", ["Ada"], "is not the name of an object"),
        ("spec.instanceNames", ["a" * 64], "may not be more than 63"),
        ("spec.instanceNames", [f"i{n}" for n in range(1001)], "must have at most 1000 items"),
        ("spec.selector.matchLabels", {f"l{n}": "" for n in range(17)}, "at most 16 items"),
        ("spec.selector.matchLabels", {"l": "v" * 64}, "may not be more than 63"),
        ("spec.selector.matchLabels", {"l" * 318: "v"}, "keys must have 1 to 317 characters"),
        ("spec.initiatedBy", "x" * 254, "may not be more than 253"),
        ("spec.initiatedFromIP", "1" * 46, "may not be more than 45"),
        ("spec.strategy.maxParallel", 0, "greater than or equal to 1"),
        ("spec.strategy.maxParallel", 501, "less than or equal to 500"),
        ("spec.strategy.waves", [], "should have at least 1 items"),
        ("spec.strategy.waves", [{"count": 1}] * 21, "must have at most 20 items"),
        ("spec.strategy.waves", [{"percent": 101}], "less than or equal to 100"),
        ("spec.strategy.waves", [{"count": 1, "bakeSeconds": -1}], "greater than or equal to 0"),
        (
            "spec.strategy.onFailure",
            "ignore",
            'supported values: "pause", "continue", "rollback"',
        ),
        ("spec.strategy.targetTimeoutSeconds", 0, "greater than or equal to 1"),
        ("spec.strategy.targetTimeoutSeconds", 86401, "less than or equal to 86400"),
        ("spec.strategy.uncertainCountsAs", "good", 'supported values: "failed", "ignored"'),
        ("spec.strategy.progressDeadlineSeconds", 0, "greater than or equal to 1"),
        ("spec.strategy.progressDeadlineSeconds", 604801, "less than or equal to 604800"),
        ("spec.strategy.retryLimit", -1, "greater than or equal to 0"),
        ("spec.strategy.retryLimit", 11, "less than or equal to 10"),
        ("spec.strategy.retryBackoffSeconds", 0, "greater than or equal to 1"),
        ("spec.strategy.retryBackoffSeconds", 3601, "less than or equal to 3600"),
        ("spec.strategy.staggerSeconds", -1, "greater than or equal to 0"),
        ("spec.strategy.staggerSeconds", 3601, "less than or equal to 3600"),
        ("spec.strategy.ramp", {**RAMP, "startsPerMinute": 0}, "greater than or equal to 1"),
        ("spec.strategy.ramp", {**RAMP, "maxStartsPerMinute": 601}, "less than or equal to 600"),
        ("spec.strategy.ramp", {**RAMP, "successesPerStep": 0}, "greater than or equal to 1"),
        ("spec.strategy.ramp", {**RAMP, "increasePercent": 9}, "greater than or equal to 10"),
        ("spec.strategy.ramp", {**RAMP, "increasePercent": 401}, "less than or equal to 400"),
        ("spec.strategy.failureThreshold", {"count": 0}, "greater than or equal to 1"),
        ("spec.strategy.failureThreshold", {"count": 10001}, "less than or equal to 10000"),
        ("spec.strategy.failureThreshold", {"percent": 0}, "greater than or equal to 1"),
        ("spec.strategy.failureThreshold", {"percent": 101}, "less than or equal to 100"),
        (
            "spec.strategy.failureThreshold",
            {"percent": 1, "minExecuted": 0},
            "greater than or equal to 1",
        ),
    ],
)
async def test_bounds(rollouts: Door, path: str, value: Any, text: str) -> None:
    await rollouts.refuses(changed(GOOD, path, value), text)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("bundleName", "runtime-expressclaw-2.0.0"),
        ("scope", "instance"),
        ("selector", {"matchLabels": {"team": "b"}}),
        ("selector", None),
        ("instanceNames", ["ada"]),
        ("force", True),
        ("onlyAuto", True),
        ("overrideWindow", True),
        ("initiatedBy", "other"),
        ("initiatedBy", None),
        ("initiatedFromIP", "::1"),
        ("strategy", {"maxParallel": 9}),
        ("strategy", None),
    ],
)
async def test_what_was_started_does_not_change(rollouts: Door, field: str, value: Any) -> None:
    spec = {
        **GOOD["spec"],
        "selector": {"matchLabels": {"team": "a"}},
        "initiatedBy": "grace",
        "strategy": {"maxParallel": 1},
    }
    await rollouts.create(changed(GOOD, "spec", spec))
    await rollouts.refuses_patch(
        "one",
        {"spec": {field: value}},
        f"{field} cannot be changed: create a new object instead",
    )


async def test_pausing_works_both_ways(rollouts: Door) -> None:
    await rollouts.create(GOOD)
    for paused in (True, False, True):
        after = await rollouts.patch("one", {"spec": {"paused": paused}})
        assert after["spec"]["paused"] is paused


@pytest.mark.parametrize(
    ("stored", "wanted"), [("Graceful", None), ("Force", None), ("Force", "Graceful")]
)
async def test_cancelling_cannot_be_taken_back(
    rollouts: Door, stored: str, wanted: str | None
) -> None:
    await rollouts.create(changed(GOOD, "spec.cancel", stored))
    await rollouts.refuses_patch(
        "one",
        {"spec": {"cancel": wanted}},
        "cancel cannot be taken back: it goes from absent to Graceful to Force",
    )


async def test_cancelling_goes_from_graceful_to_force(rollouts: Door) -> None:
    await rollouts.create(GOOD)
    for mode in ("Graceful", "Graceful", "Force"):
        assert (await rollouts.patch("one", {"spec": {"cancel": mode}}))["spec"]["cancel"] == mode


@pytest.mark.parametrize(
    ("status", "text"),
    [
        ({"state": "done"}, '"queued", "in_progress", "paused", "succeeded", "failed"'),
        ({"counts": {"total": -1}}, "greater than or equal to 0"),
        ({"counts": {"inProgress": -1}}, "greater than or equal to 0"),
        ({"skipped": {"reasons": {f"R{n}": 1 for n in range(17)}}}, "at most 16 items"),
        ({"skipped": {"reasons": {"r" * 254: 1}}}, "keys must have 0 to 253 characters"),
        (
            {"skipped": {"examples": [{"instanceName": "a", "reason": "r"}] * 51}},
            "must have at most 50 items",
        ),
        ({"artifact": {"sha256": SHA}}, "status.artifact.bundleName: Required value"),
        ({"message": "m" * 2049}, "may not be more than 2048"),
        ({"haltReason": "m" * 2049}, "may not be more than 2048"),
        ({"startedAt": "now"}, "must be of type date-time"),
        ({"progressClock": {"running": True, "seconds": -1}}, "greater than or equal to 0"),
        ({"progressClock": {"running": True, "seconds": 1}}, "progressClock.since: Required"),
    ],
)
async def test_status_is_bounded(rollouts: Door, status: dict[str, Any], text: str) -> None:
    await rollouts.create(GOOD)
    await rollouts.refuses_patch("one", {"status": status}, text, status=True)


async def test_columns(rollouts: Door, namespace: str, kubectl: Callable[..., Any]) -> None:
    await rollouts.create(GOOD)
    counts = {"total": 6, "queued": 1, "inProgress": 2, "succeeded": 3}
    status = {"state": "in_progress", "wave": 2, "counts": counts}
    await rollouts.patch("one", {"status": status}, status=True)
    shown = kubectl("get", "hro", "-n", namespace, check=True).stdout.splitlines()
    columns = ["NAME", "STATE", "BUNDLE", "WAVE", "TOTAL", "OK", "FAILED", "RUNNING", "AGE"]
    assert shown[0].split() == columns
    bundle = GOOD["spec"]["bundleName"]
    assert shown[1].split()[:8] == ["one", "in_progress", bundle, "2", "6", "3", "0", "2"]
    wide = kubectl("get", "hro", "-n", namespace, "-o", "wide", check=True).stdout
    assert {"QUEUED", "UNCERTAIN", "SKIPPED", "MESSAGE"} <= set(wide.splitlines()[0].split())


async def test_rollouts_are_selected_by_bundle(
    rollouts: Door, namespace: str, kubectl: Callable[..., Any]
) -> None:
    await rollouts.create(GOOD)
    other = changed(changed(GOOD, "metadata.name", "two"), "spec.bundleName", "other")
    await rollouts.create(other)
    args = ("get", "hro", "-n", namespace, "-o", "name", "--field-selector")
    found = kubectl(*args, "spec.bundleName=other", check=True).stdout
    assert found.strip() == "rollout.hydracore.io/two"
