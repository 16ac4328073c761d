"""Bundle at the real API server."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import pytest_asyncio

from hydracore_crds.bundle import bundle_name
from tests.crds.support import OTHER_SHA, SHA, SIGNATURE, Door, changed, condition, make, unique

pytestmark = pytest.mark.cluster

GOOD = make(
    "Bundle",
    "runtime-expressclaw-1.0.0",
    {
        "component": "runtime",
        "slug": "expressclaw",
        "version": "1.0.0",
        "artifact": {"uri": f"store:///sha256/{SHA}", "sha256": SHA, "sizeBytes": 1},
        "signature": {"keyId": "k1", "value": SIGNATURE},
    },
)


def of(component: str, slug: str, version: str) -> dict[str, Any]:
    """Return the good bundle under another identity, named as it must be."""
    obj = changed(GOOD, "metadata.name", bundle_name(component, slug, version))
    for field, value in (("component", component), ("slug", slug), ("version", version)):
        obj = changed(obj, f"spec.{field}", value)
    return obj


@pytest.fixture
def bundles(door: Callable[..., Door]) -> Door:
    return door("bundles")


@pytest_asyncio.fixture(loop_scope="session")
async def stored(bundles: Door) -> str:
    obj = of("runtime", unique("s"), "1.0.0")
    await bundles.create(changed(obj, "spec.changelog", "first"))
    return str(obj["metadata"]["name"])


async def test_a_good_bundle_is_accepted_with_its_defaults(bundles: Door) -> None:
    spec = (await bundles.check(GOOD))["spec"]
    assert spec == {**GOOD["spec"], "changelog": "", "yanked": False}


@pytest.mark.parametrize(
    ("component", "version"),
    [
        ("runtime", "0.0.0"),
        ("skill", "1.2.3-rc.1"),
        ("mcp-server", "10.20.30-RC.1+build.5"),
        ("runtime", "1.0.0+a-b"),
    ],
)
async def test_every_semver_has_a_name(bundles: Door, component: str, version: str) -> None:
    await bundles.check(of(component, "x", version))


@pytest.mark.parametrize("version", ["1.0", "v1.0.0", "01.0.0", "1.0.0-", "1.0.0+", "1.0.0 "])
async def test_other_versions_are_refused(bundles: Door, version: str) -> None:
    await bundles.refuses(
        changed(GOOD, "spec.version", version), "spec.version: Invalid value", "should match"
    )


@pytest.mark.parametrize(
    "name",
    [
        "expressclaw-1.0.0",
        "runtime-expressclaw-1.0.1",
        "runtime-other-1.0.0",
        "runtime-expressclaw-",
    ],
)
async def test_the_name_must_say_what_it_is(bundles: Door, name: str) -> None:
    wanted = (
        "metadata.name" if name.endswith("-") else "must be <component>-<slug>-<version>, in lower"
    )
    await bundles.refuses(changed(GOOD, "metadata.name", name), wanted)


async def test_names_longer_than_63_characters_are_refused(bundles: Door) -> None:
    await bundles.refuses(
        of("runtime", "s" * 32, "1.0.0-" + "p" * 30),
        "metadata.name may have at most 63 characters: shorten it",
    )


@pytest.mark.parametrize("field", ["component", "slug", "version", "artifact", "signature"])
async def test_required_fields(bundles: Door, field: str) -> None:
    await bundles.refuses(changed(GOOD, f"spec.{field}", None), f"spec.{field}: Required value")


@pytest.mark.parametrize(
    ("path", "value", "text"),
    [
        ("spec.component", "plugin", 'supported values: "runtime", "skill", "mcp-server"'),
        ("spec.slug", "", "should be at least 1 chars long"),
        ("spec.slug", "s" * 33, "may not be more than 32"),
        ("spec.slug", "Slug", "should match"),
        ("spec.slug", "a.b", "should match"),
        ("spec.version", "1.0.0-" + "a" * 60, "may not be more than 64"),
        ("spec.artifact.uri", "", "should be at least 1 chars long"),
        ("spec.artifact.uri", "u" * 1025, "may not be more than 1024"),
        ("spec.artifact.sha256", SHA.upper(), "should match"),
        ("spec.artifact.sha256", SHA[:-1], "should match"),
        ("spec.artifact.sha256", SHA + "a", "may not be more than 64"),
        ("spec.artifact.sizeBytes", 0, "should be greater than or equal to 1"),
        ("spec.artifact.sizeBytes", 10_737_418_241, "less than or equal to 10737418240"),
        ("spec.artifact.sizeBytes", 1.5, "must be of type integer"),
        ("spec.signature.keyId", "", "should be at least 1 chars long"),
        ("spec.signature.keyId", "k" * 65, "may not be more than 64"),
        ("spec.signature.value", "c2hvcnQ=", "should match"),
        ("spec.changelog", "x" * 4097, "may not be more than 4096"),
    ],
)
async def test_bounds(bundles: Door, path: str, value: Any, text: str) -> None:
    await bundles.refuses(changed(GOOD, path, value), text)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"component": "skill"}, "component"),
        ({"slug": "other"}, "slug"),
        ({"version": "2.0.0"}, "version"),
        ({"artifact": {"sha256": OTHER_SHA}}, "artifact"),
        ({"artifact": {"sizeBytes": 2}}, "artifact"),
        ({"artifact": {"uri": "elsewhere"}}, "artifact"),
        ({"signature": {"keyId": "k2"}}, "signature"),
        ({"changelog": "second"}, "changelog"),
    ],
)
async def test_what_is_published_does_not_change(
    bundles: Door, stored: str, change: dict[str, Any], field: str
) -> None:
    await bundles.refuses_patch(
        stored, {"spec": change}, f"{field} cannot be changed: create a new object instead"
    )


async def test_yanking_works_both_ways(bundles: Door, stored: str) -> None:
    assert (await bundles.patch(stored, {"spec": {"yanked": True}}))["spec"]["yanked"] is True
    assert (await bundles.patch(stored, {"spec": {"yanked": False}}))["spec"]["yanked"] is False


@pytest.mark.parametrize(
    ("bad", "text"),
    [
        ({"status": "Maybe"}, "supported values"),
        ({"reason": ""}, "should be at least 1 chars long"),
        ({"reason": "r" * 64}, "may not be more than 63"),
        ({"type": "t" * 64}, "may not be more than 63"),
        ({"message": "m" * 2049}, "may not be more than 2048"),
        ({"lastTransitionTime": "yesterday"}, "must be of type date-time"),
    ],
)
async def test_conditions_are_bounded(
    bundles: Door, stored: str, bad: dict[str, Any], text: str
) -> None:
    body = {"status": {"conditions": [condition(**{"type_": bad.pop("type", "Ready"), **bad})]}}
    await bundles.refuses_patch(stored, body, text, status=True)


async def test_a_condition_type_stands_once_and_sixteen_are_the_limit(
    bundles: Door, stored: str
) -> None:
    twice = {"status": {"conditions": [condition(), condition()]}}
    await bundles.refuses_patch(stored, twice, "Duplicate value", status=True)
    many = {"status": {"conditions": [condition(f"T{i}") for i in range(17)]}}
    await bundles.refuses_patch(stored, many, "must have at most 16 items", status=True)


async def test_spec_and_status_are_written_by_their_own_doors(bundles: Door, stored: str) -> None:
    both = {"spec": {"yanked": True}, "status": {"conditions": [condition()]}}
    assert (await bundles.patch(stored, both)).get("status", {}) == {}
    after = await bundles.patch(stored, {**both, "spec": {"yanked": False}}, status=True)
    assert after["spec"]["yanked"] is True
    assert after["status"]["conditions"] == [condition()]


async def test_columns(bundles: Door, stored: str, kubectl: Callable[..., Any]) -> None:
    await bundles.patch(stored, {"status": {"conditions": [condition()]}}, status=True)
    shown = kubectl("get", "hbu", stored, check=True).stdout.splitlines()
    columns = ["NAME", "COMPONENT", "SLUG", "VERSION", "READY", "QUARANTINED", "AGE"]
    assert shown[0].split() == columns
    assert shown[1].split()[0::4] == [stored, "True"]
    wide = kubectl("get", "hbu", stored, "-o", "wide", check=True).stdout.splitlines()
    assert {"REASON", "DIGEST", "YANKED"} <= set(wide[0].split())
    assert {"Verified", SHA, "false"} <= set(wide[1].split())
