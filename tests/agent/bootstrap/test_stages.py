"""Stages with a rising number."""

import pytest

from hydracore_agent.bootstrap.stages import Stages
from hydracore_agent.controlplane import UnreachableError
from hydracore_agent.errors import StateError
from tests.agent.support.api import Api


def stages(world, api: Api) -> Stages:
    return Stages(world.layout.boot, api.control_plane(), "hcb_token")


def seqs(api: Api) -> list[tuple[str, int, str]]:
    return [(body["stage"], body["seq"], body["level"]) for _, _, body in api.calls]


async def test_the_number_rises_across_restarts_and_stages_come_once(world) -> None:
    api = Api()
    await stages(world, api).reach("booting", "up")
    again = stages(world, api)
    await again.reach("booting", "up")
    await again.reach("cloud_init", "read")
    await again.complain("the disk is full")
    assert seqs(api) == [("booting", 1, "info"), ("cloud_init", 2, "info"),
                         ("cloud_init", 3, "error")]  # fmt: skip
    assert again.reached == "cloud_init"


async def test_a_lost_answer_is_repeated_with_a_higher_number(world) -> None:
    api = Api()
    api.answers["bootstrap"] = [503, api.accept]
    first = stages(world, api)
    with pytest.raises(UnreachableError):
        await first.reach("booting", "up")
    await stages(world, api).reach("booting", "up")
    assert [seq for _, seq, _ in seqs(api)] == [1, 2]


async def test_catches_up_with_what_the_control_plane_knows(world) -> None:
    api = Api()
    api.last_seq = 41
    await stages(world, api).reach("booting", "up")
    assert [seq for _, seq, _ in seqs(api)] == [1, 42]


def test_a_damaged_file_is_named(world) -> None:
    world.layout.boot.write_text('{"seq": -1}')
    with pytest.raises(StateError, match=r"boot\.json is damaged"):
        stages(world, Api())
