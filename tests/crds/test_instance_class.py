"""InstanceClass at the real API server."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.crds.support import Door, changed, make, unique

pytestmark = pytest.mark.cluster

GOOD = make(
    "InstanceClass",
    "starter",
    {
        "displayName": "Starter",
        "provider": "local",
        "serverType": "process",
        "regions": {"loopback": "local"},
        "bundleName": "runtime-expressclaw-1.0.0",
    },
)


@pytest.fixture
def classes(door: Callable[..., Door]) -> Door:
    return door("instanceclasses")


async def test_a_good_class_is_accepted(classes: Door) -> None:
    assert (await classes.check(GOOD))["spec"] == GOOD["spec"]


@pytest.mark.parametrize(
    "field", ["displayName", "provider", "serverType", "regions", "bundleName"]
)
async def test_required_fields(classes: Door, field: str) -> None:
    await classes.refuses(changed(GOOD, f"spec.{field}", None), f"spec.{field}: Required value")


@pytest.mark.parametrize(
    ("path", "value", "text"),
    [
        ("spec.provider", "hetzner", 'supported values: "local"'),
        ("spec.displayName", "x" * 254, "may not be more than 253"),
        ("spec.serverType", "x" * 254, "may not be more than 253"),
        ("spec.regions", {}, "should have at least 1 properties"),
        ("spec.regions", {f"r{i}": "local" for i in range(65)}, "must have at most 64 items"),
        ("spec.regions", {"r": "x" * 254}, "may not be more than 253"),
        ("spec.regions", {"x" * 81: "local"}, "keys must have 1 to 80 characters"),
        ("spec.regions", {"": "local"}, "keys must have 1 to 80 characters"),
        ("spec.bundleName", "Runtime", "is not the name of an object"),
        ("spec.bundleName", "a" * 64, "may not be more than 63"),
        ("metadata.name", "a" * 64, "metadata.name may have at most 63 characters: shorten it"),
    ],
)
async def test_bounds(classes: Door, path: str, value: Any, text: str) -> None:
    await classes.refuses(changed(GOOD, path, value), text)


async def test_columns(classes: Door, kubectl: Callable[..., Any]) -> None:
    name = unique("class")
    await classes.create(changed(GOOD, "metadata.name", name))
    shown = kubectl("get", "hic", name, check=True).stdout.splitlines()
    assert shown[0].split() == ["NAME", "PROVIDER", "TYPE", "BUNDLE", "AGE"]
    assert shown[1].split()[:4] == [name, "local", "process", "runtime-expressclaw-1.0.0"]
