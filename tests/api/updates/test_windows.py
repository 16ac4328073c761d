"""Windows of a tenant's policy by REST."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from hydracore_crds import UpdatePolicy
from tests.api.support.world import World
from tests.core.rollouts.builders import platform

FLEET = "/v1/instances/fleet/updates/policy"
NIGHTS = {
    "name": "nights",
    "kind": "allow",
    "schedule": "0 22 * * *",
    "duration": "6h",
    "time_zone": "Europe/Berlin",
}
FREEZE = {"kind": "deny", "schedule": "0 0 1 MAY *", "duration": "168h"}
FREEZE_SHOWN = {**FREEZE, "name": None, "time_zone": "Etc/UTC"}


async def patch(world: World, **body: Any) -> Any:
    return await world.call("PATCH", FLEET, json=body)


async def test_windows_are_stored_and_shown(world: World) -> None:
    answer = await patch(world, windows=[NIGHTS, FREEZE], opening_jitter_seconds=600)
    assert answer.status_code == 200
    assert answer.json()["windows"] == [NIGHTS, FREEZE_SHOWN]
    assert answer.json()["opening_jitter_seconds"] == 600
    (policy,) = world.kube.of(UpdatePolicy)
    assert [one.to_wire() for one in policy.spec.windows] == [
        {k: v for k, v in NIGHTS.items() if k != "time_zone"} | {"timeZone": "Europe/Berlin"},
        FREEZE | {"timeZone": "Etc/UTC"},
    ]
    assert (await world.call("GET", FLEET)).json() == answer.json()


async def test_absent_stays_null_and_nothing_clear_and_a_list_replaces(world: World) -> None:
    await patch(world, windows=[NIGHTS, FREEZE], opening_jitter_seconds=600)
    untouched = (await patch(world, max_parallel_rollouts=4)).json()
    assert untouched["windows"] == [NIGHTS, FREEZE_SHOWN]
    assert untouched["opening_jitter_seconds"] == 600
    assert (await patch(world, windows=[FREEZE])).json()["windows"] == [FREEZE_SHOWN]
    cleared = (await patch(world, windows=None, opening_jitter_seconds=None)).json()
    assert (cleared["windows"], cleared["opening_jitter_seconds"]) == ([], 0)
    await patch(world, windows=[NIGHTS])
    assert (await patch(world, windows=[])).json()["windows"] == []


async def test_what_holds_now_is_told(world: World) -> None:
    # It is the first of May, noon.
    found = (await patch(world, windows=[NIGHTS])).json()
    assert (found["window_open"], found["next_opens_at"]) == (False, "2030-05-01T20:00:00.000Z")
    assert found["window_message"] == (
        "the maintenance window opens at 2030-05-01 20:00Z (allow window 'nights')"
    )
    blocked = (await patch(world, windows=[NIGHTS, {**FREEZE, "name": "May"}])).json()
    assert blocked["window_message"] == ("blocked by deny window 'May' until 2030-05-08 00:00Z")
    assert world.clock() == datetime(2030, 5, 1, 12, tzinfo=UTC)


async def test_a_freeze_of_the_platform_is_told_beside_the_window(world: World) -> None:
    before = (await world.call("GET", FLEET)).json()
    assert (before["platform_frozen"], before["platform_message"]) == (False, None)
    ends = datetime(2030, 5, 2, 6, tzinfo=UTC)
    world.services.cache.platform.upsert(platform("an incident", ends))
    found = (await world.call("GET", FLEET)).json()
    assert (found["window_open"], found["platform_frozen"]) == (True, True)
    assert found["platform_frozen_until"] == "2030-05-02T06:00:00.000Z"
    assert (
        found["platform_message"] == "the platform is frozen until 2030-05-02 06:00Z: an incident"
    )


async def test_hours_and_windows_stand_side_by_side(world: World) -> None:
    hours = {"maintenance_window_start_hour_utc": 11, "maintenance_window_end_hour_utc": 13}
    found = (await patch(world, windows=[NIGHTS], **hours)).json()
    assert found["window_open"] is True
    assert found["window_message"] == "updates may start until 2030-05-01 13:00Z"


@pytest.mark.parametrize(
    ("change", "field", "text"),
    [
        ({"schedule": "0 22 * *"}, "schedule", "write the five fields of cron"),
        ({"schedule": "0 0 31 2 *"}, "schedule", "a day that its months have"),
        ({"schedule": "0 9-8 * * *"}, "schedule", "ranges from low to high"),
        ({"duration": "soon"}, "duration", "for example '4h30m', '45m' or '168h'"),
        ({"duration": "169h"}, "duration", "from one minute ('1m') to seven days ('168h')"),
        ({"time_zone": "Europe/Atlantis"}, "time_zone", "'Europe/Atlantis' is not known"),
        ({"kind": "maybe"}, "kind", "'allow' or 'deny'"),
        ({"name": "two\nlines"}, "name", "pattern"),
        ({"timeZone": "Etc/UTC"}, "timeZone", "Extra inputs are not permitted"),
    ],
)
async def test_what_could_not_be_evaluated_is_refused(
    world: World, change: dict[str, Any], field: str, text: str
) -> None:
    answer = await patch(world, windows=[NIGHTS, NIGHTS | change])
    assert answer.status_code == 422
    (problem,) = answer.json()["detail"]
    assert problem["loc"] == ["body", "windows", 1, field]
    assert text in problem["msg"]
    assert world.kube.of(UpdatePolicy) == []


@pytest.mark.parametrize(
    "body",
    [
        {"windows": [NIGHTS] * 17},
        {"windows": [{"kind": "allow"}]},
        {"windows": NIGHTS},
        {"opening_jitter_seconds": -1},
        {"opening_jitter_seconds": 3601},
        {"opening_jitter_seconds": "60"},
    ],
)
async def test_bounds(world: World, body: dict[str, Any]) -> None:
    assert (await patch(world, **body)).status_code == 422
    assert world.kube.of(UpdatePolicy) == []


async def test_a_stored_window_that_cannot_be_evaluated_is_shown_as_it_is(world: World) -> None:
    await patch(world, windows=[FREEZE])
    broken = {"kind": "deny", "schedule": "0 9-8 * * *", "duration": "1h"}
    world.kube.change(UpdatePolicy, "default", "acme", {"spec": {"windows": [broken]}})
    found = (await patch(world, max_parallel_rollouts=3)).json()
    assert found["windows"] == [{**broken, "name": None, "time_zone": "Etc/UTC"}]
    assert found["window_open"] is False
    assert "which cannot be evaluated" in found["window_message"]
