"""PlatformPolicy at the real API server."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from hydracore_core.platform.freeze import freeze_of
from hydracore_crds import PlatformPolicy
from hydracore_crds.base import parse_time
from tests.crds.support import Door, changed, make

pytestmark = pytest.mark.cluster

GOOD = make(
    "PlatformPolicy",
    "default",
    {"freeze": {"reason": "between the years", "until": "2027-01-02T06:00:00Z"}},
)
UNTIL = "spec.freeze.until"


@pytest.fixture
def policies(door: Callable[..., Door]) -> Door:
    return door("platformpolicies")


async def test_a_freeze_is_accepted(policies: Door) -> None:
    assert (await policies.check(GOOD))["spec"] == GOOD["spec"]


async def test_nothing_need_be_wanted(policies: Door) -> None:
    assert (await policies.check(make("PlatformPolicy", "default", {})))["spec"] == {}


@pytest.mark.parametrize(
    "time",
    [
        "2027-01-02T06:00:00+01:00",
        "2027-01-02T06:00:00.123456789Z",
        "2999-12-31T23:59:59-23:59",
        "2000-01-01T00:00:00+23:59",
    ],
)
async def test_an_end_that_is_accepted_can_be_read(policies: Door, time: str) -> None:
    """What the operator cannot read would not freeze anything."""
    stored = PlatformPolicy.model_validate(await policies.check(changed(GOOD, UNTIL, time)))
    now = parse_time("1999-12-30T00:00:00Z")
    assert freeze_of(stored, now) is not None  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("path", "value", "text"),
    [
        ("spec.maxParallelRollouts", 0, "should be greater than or equal to 1"),
        ("spec.maxParallelRollouts", 10001, "should be less than or equal to 10000"),
        ("metadata.name", "other", "a PlatformPolicy must be named 'default'"),
        ("spec.freeze.reason", None, "spec.freeze.reason: Required value"),
        ("spec.freeze.reason", "", "should be at least 1 chars long"),
        ("spec.freeze.reason", "x" * 513, "may not be more than 512"),
        (UNTIL, "tomorrow", "must be of type date-time"),
        (UNTIL, "2027-01-02t06:00:00z", "spec.freeze.until in body should match"),
        (UNTIL, "2027-01-02T06:00:00", "spec.freeze.until in body should match"),
        (UNTIL, "2027-01-02", "spec.freeze.until"),
        (UNTIL, "9999-12-31T23:59:59-23:59", "spec.freeze.until in body should match"),
        (UNTIL, "0000-01-01T00:00:00Z", "spec.freeze.until in body should match"),
        (UNTIL, "2027-01-02T06:00:60Z", "must be of type date-time"),
        (UNTIL, "2027-01-02T06:00:00+24:00", "spec.freeze.until in body should match"),
    ],
)
async def test_bounds(policies: Door, path: str, value: Any, text: str) -> None:
    await policies.refuses(changed(GOOD, path, value), text)
