"""Freeze and cap of the platform by the command line."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, cast

import pytest

from hydracore_cli.errors import CliError
from hydracore_cli.platform.policy import cap, freeze, read_time, show, unfreeze
from hydracore_crds import PlatformPolicy
from hydracore_crds.names import SET_BY_ANNOTATION
from tests.core.rollouts.builders import NOW, platform
from tests.operator.rollouts.fakes import FakeKube

IN_AN_HOUR = NOW + timedelta(hours=1)


def stored(kube: FakeKube) -> PlatformPolicy:
    (found,) = kube.of(PlatformPolicy)
    return found


async def test_while_nothing_was_set_it_says_so() -> None:
    assert await show(cast("Any", FakeKube()), NOW) == [
        "Frozen     no",
        "Cap        none, only the tenants' own limits",
        "In flight  counted once a freeze or a cap is set",
    ]


async def test_a_freeze_says_what_it_means_and_is_shown() -> None:
    kube = FakeKube()
    said = await freeze(cast("Any", kube), "an incident", IN_AN_HOUR, NOW)
    assert said == (
        "frozen until 2026-03-01 13:00Z: nothing starts in any tenant, "
        "what is in flight ends normally"
    )
    lines = await show(cast("Any", kube), NOW)
    assert lines[0] == "Frozen     yes, until 2026-03-01 13:00Z: an incident"
    assert lines[2] == "In flight  not counted yet"
    over = await show(cast("Any", kube), IN_AN_HOUR)
    assert over[0] == "Frozen     no; the last freeze ended at 2026-03-01 13:00Z (an incident)"


async def test_freeze_and_cap_leave_each_other_alone() -> None:
    kube = FakeKube()
    assert (await cap(cast("Any", kube), 20)).startswith("cap: at most 20 in flight")
    await freeze(cast("Any", kube), "an incident", None, NOW)
    assert stored(kube).spec.max_parallel_rollouts == 20
    assert (await cap(cast("Any", kube), None)).startswith("cap: none")
    assert stored(kube).spec.freeze is not None
    assert "go on" in await unfreeze(cast("Any", kube))
    assert stored(kube).spec.to_wire() == {}


async def test_what_is_so_already_is_not_written() -> None:
    kube = FakeKube()
    assert "nothing to do" in await unfreeze(cast("Any", kube))
    assert "nothing to do" in await cap(cast("Any", kube), None)
    assert not kube.writes
    kube.put(platform("an incident", limit=3))
    assert "nothing to do" in await freeze(cast("Any", kube), "an incident", None, NOW)
    assert "nothing to do" in await cap(cast("Any", kube), 3)
    assert not kube.writes


async def test_a_cap_of_others_that_comes_first_stays() -> None:
    kube = FakeKube()
    policy = kube.put(platform())

    async def first(verb: str, name: str) -> None:
        del verb, name
        kube.before = None
        kube.edit(policy, max_parallel_rollouts=7)

    kube.before = first
    await freeze(cast("Any", kube), "an incident", None, NOW)
    assert stored(kube).spec == platform("an incident", limit=7).spec


async def test_who_froze_it_by_rest_is_shown() -> None:
    kube = FakeKube()
    kube.annotate(kube.put(platform(limit=3)), **{SET_BY_ANNOTATION: "1 ops"})
    assert (await show(cast("Any", kube), NOW))[-1] == "Set by     ops, by REST"
    await cap(cast("Any", kube), 4)
    assert len(await show(cast("Any", kube), NOW)) == 3


async def test_a_time_that_has_passed_is_refused() -> None:
    kube = FakeKube()
    with pytest.raises(CliError, match="has passed"):
        await freeze(cast("Any", kube), "an incident", NOW, NOW)
    assert not kube.writes


@pytest.mark.parametrize("text", ["tomorrow", "2027-01-02T06:00:00"])
def test_a_time_needs_a_zone(text: str) -> None:
    with pytest.raises(CliError, match="no time with a zone"):
        read_time(text)
