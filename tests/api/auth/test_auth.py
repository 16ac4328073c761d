"""Who gets in: key format, scopes of every route, tenants, the ops token."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from fastapi.routing import APIRoute

from hydracore_api.app import ROUTERS
from hydracore_api.auth.dependencies import Requires, demands_of
from hydracore_api.auth.keys import (
    ALPHABET,
    RANDOM_LENGTH,
    ServerSecretError,
    create_api_key,
    generate,
    hash_key,
    load_server_secret,
    well_formed,
)
from hydracore_api.openapi import document
from hydracore_crds.names import TENANT_LABEL
from hydracore_history import HistoryUnavailable
from hydracore_kube import Namespace
from tests.api.support.files import OPS_TOKEN, SECRET
from tests.api.support.world import World
from tests.api.test_contract import ADDITIONS


def test_keys_are_long_random_and_checked() -> None:
    keys = {generate() for _ in range(200)}
    assert len(keys) == 200
    assert len(ALPHABET) ** RANDOM_LENGTH >= 2**128
    for key in keys:
        assert key.startswith("hc_live_")
        assert well_formed(key)
        swapped = key[:-1] + ("0" if key[-1] != "0" else "1")
        assert not well_formed(swapped)


@pytest.mark.parametrize(
    "text", ["", "hc_live_", "hc_test_" + "a" * 38, "hc_live_" + "ä" * 38, "x" * 10_000]
)
def test_other_texts_are_no_keys(text: str) -> None:
    assert not well_formed(text)


def test_the_hash_depends_on_the_secret() -> None:
    key = generate()
    assert hash_key(key, SECRET) == hash_key(key, SECRET)
    assert hash_key(key, SECRET) != hash_key(key, SECRET[::-1])


def test_a_missing_or_short_secret_is_named(tmp_path: Any) -> None:
    with pytest.raises(ServerSecretError, match="SERVER_SECRET_FILE"):
        load_server_secret(tmp_path / "absent")
    (tmp_path / "short").write_bytes(b"x" * 31)
    with pytest.raises(ServerSecretError, match="31 bytes"):
        load_server_secret(tmp_path / "short")


async def test_scopes_have_one_form(world: World) -> None:
    with pytest.raises(ValueError, match="instances:read"):
        await create_api_key(
            world.history,
            SECRET,
            tenant_id="acme",
            namespace="acme",
            name="x",
            scopes=["everything"],
            created_by="t",
            at=world.clock(),
        )


async def test_only_the_hash_and_a_prefix_are_stored(world: World, tmp_path: Any) -> None:
    key = (await world.key())["X-Api-Key"]
    (record,) = await world.history.keys.list("acme")
    assert key.startswith(record.prefix)
    assert len(record.prefix) < 16
    await world.history.close()
    assert key.encode() not in b"".join(p.read_bytes() for p in tmp_path.glob("history.db*"))


def routes() -> list[tuple[str, str, Requires]]:
    found: list[tuple[str, str, Requires]] = []
    for route in (route for router in ROUTERS for route in router.routes):
        if isinstance(route, APIRoute) and route.path_format.startswith("/v1/"):
            demands = list(demands_of(route.dependant))
            assert len(demands) == 1, f"{route.path_format} must demand exactly one scope"
            found.extend((method, route.path_format, demands[0]) for method in route.methods or ())
    served = {
        (method.upper(), path)
        for path, methods in document()["paths"].items()
        for method in methods
        if path.startswith("/v1/")
    }
    assert {(method, path) for method, path, _ in found} == served
    return found


def fill(path: str) -> str:
    for name in ("instance_id", "rollout_id", "target_id", "idempotency_key", "conversation_id"):
        path = path.replace("{" + name + "}", str(uuid.uuid4()))
    return path


APPROVE = "/v1/instances/fleet/runtime/rollouts/{rollout_id}/approve"
CLEANUP = "/v1/instances/cleanup"
CONSENT = "/v1/instances/{instance_id}/consent"
BODIES: dict[tuple[str, str], dict[str, Any]] = {
    ("POST", APPROVE): {"approval": "1@abc"},
    ("POST", "/v1/instances/fleet/runtime/rollouts/plan"): {},
    ("POST", "/v1/instances"): {"tier_id": "small", "region_id": "eu-1"},
    ("POST", "/v1/instances/{instance_id}/chat"): {"message": "hi"},
    ("POST", "/v1/instances/{instance_id}/updates/apply"): {},
    ("PATCH", "/v1/instances/fleet/updates/policy"): {},
    ("POST", "/v1/instances/{instance_id}/memory"): {"content": "tea"},
    ("DELETE", "/v1/instances/{instance_id}/memory"): {},
    ("PATCH", CONSENT): {"consent_debug_access": True},
    ("PATCH", "/v1/instances/{instance_id}/updates/policy"): {},
}
ADMIN = {
    APPROVE,
    "/v1/instances/fleet/runtime/rollout",
    "/v1/instances/fleet/runtime/rollouts/{rollout_id}/cancel",
    "/v1/instances/fleet/runtime/rollouts/{rollout_id}/pause",
    "/v1/instances/fleet/runtime/rollouts/{rollout_id}/resume",
    "/v1/instances/fleet/runtime/rollouts/{rollout_id}/rollback",
    "/v1/instances/fleet/runtime/rollouts/{rollout_id}/targets/{target_id}/retry",
    CLEANUP,
    CONSENT,
    "/v1/instances/admin/{instance_id}/rotate-key",
    "/v1/instances/{instance_id}/actions/reboot",
    "/v1/instances/{instance_id}/runtime/redeploy",
    "PATCH /v1/instances/fleet/updates/policy",
    "PATCH /v1/instances/{instance_id}/updates/policy",
}
ANY_KEY = {"/v1/mcp/api-key-context"}
"""Routes that every valid key may use, whatever its scopes."""
SCOPES = ("instances:read", "instances:write", "instances:delete")


async def test_every_route_and_scope(world: World) -> None:
    checked = 0
    for method, path, demand in routes():
        if path in ANY_KEY:
            assert demand.scope is None
            headers = await world.key(scopes=(), admin=False)
            assert (await world.call(method, path, headers=headers)).status_code == 200
            continue
        assert demand.scope in SCOPES
        deletes = method == "DELETE" or path == CLEANUP
        by_method = "instances:read" if method == "GET" else "instances:write"
        assert demand.scope == ("instances:delete" if deletes else by_method), path
        assert demand.admin == (path in ADMIN or f"{method} {path}" in ADMIN), path
        more = {"json": BODIES[(method, path)]} if (method, path) in BODIES else {}
        others = tuple(one for one in SCOPES if one != demand.scope)
        for scopes in (*((one,) for one in SCOPES), ("instances:*",), ("other:*",), (), others):
            headers = await world.key(scopes=scopes, admin=True)
            answer = await world.call(method, fill(path), headers=headers, **more)
            allowed = bool({demand.scope, "instances:*"} & set(scopes))
            assert (answer.status_code != 403) == allowed, (method, path, scopes, answer.text)
            assert answer.status_code not in (401, 500), answer.text
            if not allowed:
                assert demand.scope in answer.json()["detail"]
            checked += 1
        if demand.admin:
            headers = await world.key(scopes=(demand.scope,), admin=False)
            answer = await world.call(method, fill(path), headers=headers, **more)
            assert answer.status_code == 403
            assert "admin" in answer.json()["detail"]
    ours = [path for path, _ in ADDITIONS if path.startswith("/v1/")]
    assert checked == (40 + len(ours) - len(ANY_KEY)) * 7


def test_the_document_tells_each_routes_scope() -> None:
    paths = document()["paths"]
    for method, path, demand in routes():
        assert paths[path][method.lower()].get("x-required-scope") == demand.scope, path


async def test_every_route_needs_a_key(world: World) -> None:
    good = await world.key()
    wrong: list[dict[str, str]] = [
        {},
        {"X-Api-Key": ""},
        {"X-Api-Key": "hc_live_nonsense"},
        {"X-Api-Key": generate()},
        {"Authorization": "Bearer eyJhbGciOiJub25lIn0.e30."},
        {"Authorization": "Basic YTpi"},
        {"Authorization": f"Bearer {OPS_TOKEN}"},
        {"Authorization": f"Bearer {good['X-Api-Key']}"},
        {**good, "Authorization": "Bearer x"},
    ]
    for method, path, _ in routes():
        more = {"json": BODIES[(method, path)]} if (method, path) in BODIES else {}
        for headers in wrong:
            answer = await world.call(method, fill(path), headers=headers, **more)
            assert answer.status_code == 401, (method, path, headers)
            assert set(answer.json()) == {"detail"}
            assert answer.headers["WWW-Authenticate"] == "Bearer"


async def test_a_revoked_key_ends_within_the_cache_time(world: World) -> None:
    headers = await world.key()
    assert (await world.call("GET", "/v1/instances", headers=headers)).status_code == 200
    (record,) = await world.history.keys.list("acme")
    await world.history.keys.revoke(record.id, world.clock())
    world.clock.forward(seconds=6)
    assert (await world.call("GET", "/v1/instances", headers=headers)).status_code == 401


async def test_use_is_noted_now_and_then(world: World) -> None:
    headers = await world.key()
    for _ in range(5):
        await world.call("GET", "/v1/instances", headers=headers)
    await world.services.authenticator.close()
    (record,) = await world.history.keys.list("acme")
    assert record.last_used_at == world.clock()
    world.clock.forward(seconds=30)
    await world.call("GET", "/v1/instances", headers=headers)
    world.clock.forward(seconds=31)
    await world.call("GET", "/v1/instances", headers=headers)
    await world.services.authenticator.close()
    (record,) = await world.history.keys.list("acme")
    assert record.last_used_at == world.clock()


async def test_a_cached_key_works_while_the_database_is_away(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    headers = await world.key()
    assert (await world.call("GET", "/v1/instances", headers=headers)).status_code == 200

    async def away(*_: Any) -> None:
        raise HistoryUnavailable("sqlite+aiosqlite:////secret/place.db is locked")

    monkeypatch.setattr(world.history.keys, "by_hash", away)
    assert (await world.call("GET", "/v1/instances", headers=headers)).status_code == 200
    world.clock.forward(seconds=6)
    answer = await world.call("GET", "/v1/instances", headers=headers)
    assert answer.status_code == 503
    assert answer.headers["Retry-After"]
    assert "secret" not in answer.text


async def test_a_key_whose_namespace_is_anothers_now_is_refused(world: World) -> None:
    headers = await world.key()
    world.kube.change(Namespace, "acme", None, {"metadata": {"labels": {TENANT_LABEL: "new"}}})
    assert (await world.call("GET", "/v1/instances", headers=headers)).status_code == 403
    world.kube.drop(Namespace, "acme", None)
    assert (await world.call("GET", "/v1/instances", headers=headers)).status_code == 403


async def test_a_tenant_that_the_watch_has_not_shown_is_read(world: World) -> None:
    world.tenant("fresh")
    stored = world.services.cache.namespaces.get("fresh")
    assert stored is not None
    world.services.cache.namespaces.replace([])
    world.services.cache.namespaces._dead.clear()
    headers = await world.key("fresh")
    assert (await world.call("GET", "/v1/instances", headers=headers)).status_code == 200


async def test_before_the_first_list_it_is_unavailable(world: World) -> None:
    world.services.cache.bundles.ready.clear()
    assert (await world.call("GET", "/v1/instances")).status_code == 503


@pytest.mark.parametrize("path", ["/internal", "/internal/v1/smoke/unknown", "/internal/x/y"])
async def test_internal_is_401_for_all_but_the_ops_token(world: World, path: str) -> None:
    key = await world.key()
    for headers in (
        {},
        key,
        {"Authorization": f"Bearer {key['X-Api-Key']}"},
        {"Authorization": "Bearer "},
        {"Authorization": "Bearer wrong"},
        {"Authorization": OPS_TOKEN},
        {"Authorization": f"Basic {OPS_TOKEN}"},
        {"Authorization": "Bearer \xe4"},
    ):
        raw = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
        answer = await world.client.get(path, headers=raw)
        assert answer.status_code == 401, headers
        assert answer.json() == {"detail": "Unauthorized"}
    good = {"Authorization": f"Bearer {OPS_TOKEN}"}
    assert (await world.client.get(path, headers=good)).status_code == 404


async def test_an_empty_ops_token_shuts_internal(tmp_path: Any) -> None:
    from tests.api.support.world import close_world, make_world  # noqa: PLC0415

    world = await make_world(tmp_path, ops_token="")
    for value in ("Bearer ", "Bearer", ""):
        answer = await world.client.get("/internal/v1/x", headers={"Authorization": value})
        assert answer.status_code == 401
    await close_world(world)
