"""Windows of an UpdatePolicy at the real API server: what it refuses, and in which words."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from hydracore_core.windows import problems
from hydracore_crds.policy_window import PolicyWindow, duration_of
from hydracore_devcluster.layout import ProjectLayout
from tests.crds.support import JSON, Door, changed, make

pytestmark = pytest.mark.cluster

WINDOW: JSON = {"kind": "allow", "schedule": "0 22 * * MON-FRI", "duration": "4h30m"}
NO_SCHEDULE = (
    "is not a schedule: write the five fields of cron, minute hour day month weekday, for example "
    "'0 22 * * MON-FRI'"
)
NEVER = "names a day that none of its months has, so it never opens: change the day or the month"
NO_DURATION = "is not a duration: write hours and minutes, for example '4h30m', '45m' or '168h'"
OUT_OF_BOUNDS = "a window lasts from one minute ('1m') to seven days ('168h')"
NO_ZONE = (
    "is not a name of the IANA time zone database: write one like 'Europe/Berlin' or 'Etc/UTC'"
)


@pytest.fixture
def policies(door: Callable[..., Door], namespace: str) -> Door:
    return door("updatepolicies", namespace)


def policy(*windows: JSON, **spec: Any) -> JSON:
    return make("UpdatePolicy", "default", {"windows": list(windows), **spec})


async def test_a_window_is_meant_in_utc_unless_it_says_otherwise(policies: Door) -> None:
    (found,) = (await policies.check(policy(WINDOW)))["spec"]["windows"]
    assert found == {**WINDOW, "timeZone": "Etc/UTC"}
    named = {**WINDOW, "name": "nights, in Berlin", "kind": "deny", "timeZone": "Europe/Berlin"}
    (found,) = (await policies.check(policy(named)))["spec"]["windows"]
    assert found == named


@pytest.mark.parametrize(
    "schedule",
    [
        "* * * * *",
        "0  22  *  *  *",
        "*/15 8-18/2,20 1,15 jan-Mar 1-5",
        "59 23 31 12 7",
        "00 07 01 01 0",
        "0 0 29 2 *",
        "0 0 31 1,2 *",
        "0 0 31 2 MON",
        "0 0 30 4 *",
    ],
)
async def test_schedules_are_those_of_cron_jobs(policies: Door, schedule: str) -> None:
    await policies.check(policy({**WINDOW, "schedule": schedule}))


@pytest.mark.parametrize(
    "schedule",
    [
        "",
        "0 22 * *",
        "0 22 * * * *",
        "@daily",
        "60 0 * * *",
        "0 24 * * *",
        "0 0 0 * *",
        "0 0 32 * *",
        "0 0 * 13 *",
        "0 0 * * 8",
        "0 0 * * noday",
        "0 0 */0 * *",
        "0 0 L * *",
        "0 0 * * MON#2",
        "0 22 * * *\n",
        "TZ=Europe/Berlin 0 22 * * *",
    ],
)
async def test_other_schedules_are_refused(policies: Door, schedule: str) -> None:
    obj = policy({**WINDOW, "schedule": schedule})
    await policies.refuses(obj, "spec.windows[0].schedule", NO_SCHEDULE)


@pytest.mark.parametrize(
    "schedule", ["0 0 31 2 *", "0 0 30 FEB *", "0 0 30,31 02 *", "0 0 31 4,jun,9,11 *"]
)
async def test_days_that_never_come_are_refused(policies: Door, schedule: str) -> None:
    obj = policy(WINDOW, {**WINDOW, "schedule": schedule})
    await policies.refuses(obj, "spec.windows[1].schedule", NEVER)


@pytest.mark.parametrize("duration", ["1m", "4h", "4h30m", "168h", "10080m", "0h1m"])
async def test_durations(policies: Door, duration: str) -> None:
    await policies.check(policy({**WINDOW, "duration": duration}))
    assert duration_of(duration)


@pytest.mark.parametrize("duration", ["", "4", "30s", "1d", "-1h", "1.5h", "30m4h", "4h 30m"])
async def test_what_is_no_duration_is_refused(policies: Door, duration: str) -> None:
    obj = policy({**WINDOW, "duration": duration})
    await policies.refuses(obj, "spec.windows[0].duration", NO_DURATION)
    with pytest.raises(ValueError, match="is not a duration"):
        duration_of(duration)


@pytest.mark.parametrize("duration", ["0m", "168h1m", "99999h", "0h0m"])
async def test_durations_have_bounds(policies: Door, duration: str) -> None:
    obj = policy({**WINDOW, "duration": duration})
    await policies.refuses(obj, "spec.windows[0].duration", OUT_OF_BOUNDS)
    with pytest.raises(ValueError, match="from one minute"):
        duration_of(duration)


@pytest.mark.parametrize("zone", ["UTC", "America/Argentina/Buenos_Aires", "Etc/GMT+5", "EST5EDT"])
async def test_zones(policies: Door, zone: str) -> None:
    await policies.check(policy({**WINDOW, "timeZone": zone}))


@pytest.mark.parametrize("zone", ["", "Local", "+02:00", "../etc/passwd", "Europe/", "a b"])
async def test_what_is_no_name_of_a_zone_is_refused(policies: Door, zone: str) -> None:
    obj = policy({**WINDOW, "timeZone": zone})
    await policies.refuses(obj, "spec.windows[0].timeZone", NO_ZONE)


async def test_kind_schedule_and_duration_must_be_said(policies: Door) -> None:
    for field in WINDOW:
        obj = policy({k: v for k, v in WINDOW.items() if k != field})
        await policies.refuses(obj, f"spec.windows[0].{field}: Required value")
    await policies.refuses(policy({**WINDOW, "kind": "maybe"}), '"allow", "deny"')


async def test_sixteen_windows_are_the_most(policies: Door) -> None:
    assert len((await policies.check(policy(*[WINDOW] * 16)))["spec"]["windows"]) == 16
    await policies.refuses(policy(*[WINDOW] * 17), "spec.windows: Too many: 17")


@pytest.mark.parametrize("name", ["", "x" * 64, "two\nlines"])
async def test_names_are_short_and_of_one_line(policies: Door, name: str) -> None:
    await policies.refuses(policy({**WINDOW, "name": name}), "spec.windows[0].name")


async def test_jitter_reaches_to_an_hour(policies: Door) -> None:
    for seconds in (0, 3600):
        await policies.check(policy(openingJitterSeconds=seconds))
    for seconds in (-1, 3601):
        await policies.refuses(policy(openingJitterSeconds=seconds), "spec.openingJitterSeconds")


async def test_windows_may_be_changed_later(policies: Door) -> None:
    await policies.create(policy(WINDOW))
    other = {**WINDOW, "kind": "deny", "timeZone": "Asia/Kolkata"}
    stored = await policies.patch("default", {"spec": {"windows": [other]}})
    assert stored["spec"]["windows"] == [other]
    await policies.refuses_patch(
        "default", changed({}, "spec.windows", [{**other, "duration": "9d"}]), NO_DURATION
    )


def guide(project: ProjectLayout) -> list[list[JSON]]:
    """Return the lists of windows that docs/windows.md shows."""
    text = (project.root / "docs" / "windows.md").read_text()
    found = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)]
    ours = [one for one in found if isinstance(one, list) or one["kind"] == "UpdatePolicy"]
    return [one["spec"]["windows"] if isinstance(one, dict) else one for one in ours]


async def test_the_guides_examples_are_accepted_and_can_be_evaluated(
    policies: Door, project: ProjectLayout
) -> None:
    examples = guide(project)
    assert len(examples) == 4
    for windows in examples:
        stored = await policies.check(policy(*windows))
        read = [PolicyWindow.model_validate(one) for one in stored["spec"]["windows"]]
        assert problems(read) == []
