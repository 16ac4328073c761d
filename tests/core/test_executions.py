"""What is the same work, and what is not."""

from __future__ import annotations

from typing import Any

import pytest

from hydracore_core.executions import spec_hash
from hydracore_crds.base import Wire
from hydracore_crds.rollout import RolloutSpec

BASE = {"bundleName": "runtime-expressclaw-1.0.0"}


def hashed(**more: Any) -> str:
    return spec_hash(RolloutSpec.model_validate({**BASE, **more}))


def test_the_hash_is_a_sha256_and_the_same_in_every_process() -> None:
    # `printf '{"bundleName":"runtime-expressclaw-1.0.0"}' | sha256sum`
    assert hashed() == "ef881337b2f5b27bd4a5f6480cb1a9d03f704a7181e48d4887188f71b4a4c935"


@pytest.mark.parametrize(
    "more",
    [
        {"paused": True},
        {"cancel": "Force"},
        {"initiatedBy": "somebody"},
        {"initiatedFromIP": "192.0.2.1"},
        # What the API server fills in.
        {"scope": "fleet", "force": False, "strategy": {"onFailure": "pause"}},
    ],
)
def test_how_it_goes_on_and_who_asked_is_not_the_work(more: dict[str, Any]) -> None:
    assert hashed(**more) == hashed()


@pytest.mark.parametrize(
    "more",
    [
        {"bundleName": "runtime-expressclaw-1.0.1"},
        {"scope": "instance", "instanceNames": ["one"]},
        {"instanceNames": ["one"]},
        {"selector": {"matchLabels": {"a": "b"}}},
        {"force": True},
        {"overrideWindow": True},
        {"strategy": {"maxParallel": 2}},
        {"strategy": {"failureThreshold": {"count": 2}}},
    ],
)
def test_what_is_to_be_done_is(more: dict[str, Any]) -> None:
    assert hashed(**more) != hashed()


def test_a_field_that_a_later_version_adds_leaves_the_hash_as_it_was() -> None:
    class Later(RolloutSpec):
        retry_limit: int = 0

    later = Later.model_validate({**BASE, "retryLimit": 0})
    assert spec_hash(later) == hashed()
    assert spec_hash(later.model_copy(update={"retry_limit": 1})) != hashed()


def test_any_spec_will_do() -> None:
    class Action(Wire):
        action: str
        requested_by: str | None = None

    assert spec_hash(Action(action="reboot")) == spec_hash(
        Action(action="reboot", requested_by="somebody")
    )
    assert spec_hash(Action(action="reboot")) != spec_hash(Action(action="power-cycle"))
