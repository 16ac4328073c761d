"""Answers that stand ready are the route's own, and only for those who may have them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from hydracore_api.auth.authenticator import CACHE_SECONDS
from hydracore_api.instances import service
from hydracore_api.instances.ready import FRESH
from hydracore_crds import Instance, InstanceClass
from hydracore_kube import Namespace
from tests.api.support.world import World


class Counted:
    """Counts how often a route's work is done."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.details = self.lists = 0
        get, list_ = service.get, service.list_

        async def counted_get(*args: Any) -> Any:
            self.details += 1
            return await get(*args)

        def counted_list(*args: Any) -> Any:
            self.lists += 1
            return list_(*args)

        monkeypatch.setattr(service, "get", counted_get)
        monkeypatch.setattr(service, "list_", counted_list)


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Counted:
    return Counted(monkeypatch)


async def _warm(world: World) -> None:
    """Have the key known to the authenticator: the first request always goes to the route."""
    await world.call("GET", "/v1/instances")


def _path(instance: Instance) -> str:
    return f"/v1/instances/{instance.spec.id}"


async def test_the_second_answer_is_the_first_byte_for_byte(world: World, counted: Counted) -> None:
    one = world.instance("one", agentName="Ada")
    await _warm(world)
    for path in ("/v1/instances", _path(one)):
        first, second = [await world.call("GET", path) for _ in range(2)]
        assert first.status_code == 200
        assert (first.content, dict(first.headers)) == (second.content, dict(second.headers))
    assert (counted.details, counted.lists) == (1, 2)


async def test_a_change_of_instance_or_class_is_shown_at_once(
    world: World, counted: Counted
) -> None:
    one = world.instance("one")
    await _warm(world)
    for _ in range(2):
        await world.call("GET", _path(one))
        await world.call("GET", "/v1/instances")
    world.kube.change(Instance, "one", "acme", {"status": {"hostname": "moved"}})
    assert (await world.call("GET", _path(one))).json()["hostname"] == "moved"
    (line,) = (await world.call("GET", "/v1/instances")).json()["instances"]
    assert line["hostname"] == "moved"
    world.kube.change(InstanceClass, "small", None, {"spec": {"displayName": "Tiny"}})
    (line,) = (await world.call("GET", "/v1/instances")).json()["instances"]
    assert line["product_tier_name"] == "Tiny"
    world.instance("two")
    assert len((await world.call("GET", "/v1/instances")).json()["instances"]) == 2
    assert counted.details == 2


async def test_what_sql_holds_is_looked_up_again_after_a_second(world: World) -> None:
    one = world.instance("one")
    await _warm(world)
    assert (await world.call("GET", _path(one))).json()["capabilities"] == {}
    status = {"capabilities": {"chat": True}}
    assert one.spec.id is not None
    at = world.clock()
    await world.history.health.poll(one.spec.id, at=at, ok=True, status=status, error=None)
    world.clock.at += FRESH
    assert (await world.call("GET", _path(one))).json()["capabilities"] == {"chat": True}


async def test_others_get_what_the_route_says(world: World) -> None:
    one = world.instance("one")
    theirs = await world.key("other")
    blind = await world.key(scopes=("other:read",))
    good = await world.key()
    for headers in (theirs, blind):  # their keys are known to the authenticator, too
        await world.call("GET", "/v1/instances", headers=headers)
    for _ in range(3):
        assert (await world.call("GET", _path(one))).status_code == 200
        assert (await world.call("GET", _path(one), headers=theirs)).status_code == 404
        assert (await world.call("GET", _path(one), headers=blind)).status_code == 403
        assert (await world.call("GET", _path(one), headers={})).status_code == 401
        both = {**good, "Authorization": "Bearer x"}
        assert (await world.call("GET", _path(one), headers=both)).status_code == 401
        assert (await world.call("GET", "/v1/instances", headers=theirs)).json() == {
            "instances": []
        }


async def test_a_revoked_key_is_refused_after_the_authenticators_seconds(world: World) -> None:
    one = world.instance("one")
    key = await world.key()
    for _ in range(2):
        assert (await world.call("GET", _path(one), headers=key)).status_code == 200
    (record,) = await world.history.keys.list("acme")
    assert await world.history.keys.revoke(record.id, world.clock())
    world.clock.at += timedelta(seconds=CACHE_SECONDS)
    for path in (_path(one), "/v1/instances"):
        assert (await world.call("GET", path, headers=key)).status_code == 401


async def test_a_namespace_that_changed_hands_gives_nothing_away(world: World) -> None:
    one = world.instance("one")
    for _ in range(2):
        assert (await world.call("GET", _path(one))).status_code == 200
    labels = {"hydracore.io/tenant-id": "new-owner"}
    world.kube.change(Namespace, "acme", None, {"metadata": {"labels": labels}})
    assert (await world.call("GET", _path(one))).status_code == 403


async def test_deleted_instances_are_gone(world: World) -> None:
    one = world.instance("one")
    await _warm(world)
    assert (await world.call("GET", _path(one))).status_code == 200
    world.services.cache.instances.remove("acme/one", one.metadata.uid)
    assert (await world.call("GET", _path(one))).status_code == 404
    assert (await world.call("GET", "/v1/instances")).json() == {"instances": []}


async def test_queries_and_bodies_go_to_the_route(world: World, counted: Counted) -> None:
    one = world.instance("one")
    await _warm(world)
    for _ in range(2):
        await world.call("GET", _path(one) + "?x=1")
        await world.call("GET", _path(one), content=b"{}")
        await world.call("GET", _path(one).upper().replace("/V1/INSTANCES", "/v1/instances"))
    assert counted.details == 6
