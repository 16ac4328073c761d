"""What no honest client sends, to every operation: refused with 4xx before anything is touched."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.api.support import fake_agent
from tests.api.support.fake_agent import FakeAgent
from tests.api.support.files import OPS_TOKEN
from tests.api.support.world import World

pytestmark = [pytest.mark.fault(33), pytest.mark.fault(35)]
NESTED = b'{"agent_name": ' + b"[" * 50_000 + b"]" * 50_000 + b"}"
BODIES = {
    "bytes that are no UTF-8": b'{"agent_name": "\xff\xfe"}',
    "half a document": b'{"agent_name": ',
    "nesting without end": NESTED,
    "a NUL in a name": b'{"agent\\u0000name": 1}',
    "not a number": b'{"agent_name": NaN}',
    "a bare value": b'"text"',
    "nothing": b"",
}
TEXTS = {
    "NUL": "a\x00b",
    "half a surrogate pair": "a\ud800b",
    "a megabyte": "x" * 1_000_000,
}
BEYOND_64_BITS = 2**64
KNOWN = {"tier_id": "small", "region_id": "eu-1"}


@dataclass(frozen=True)
class Operation:
    """One method of one path, as the document tells it."""

    method: str
    path: str
    parameters: tuple[dict[str, Any], ...]
    body: dict[str, Any] | None

    def at(self, instance_id: str) -> str:
        """Return the path for an instance that is there; other ids are nobody's."""
        names = {p["name"]: instance_id for p in self.parameters if p["in"] == "path"}
        return self.path.format(**names)


def _operations(document: dict[str, Any]) -> Iterator[Operation]:
    for path, methods in document["paths"].items():
        for method, told in methods.items():
            content = told.get("requestBody", {}).get("content", {}).get("application/json")
            body = _resolved(document, content["schema"]) if content else None
            if not path.startswith(("/agent/", "/healthz", "/readyz")):
                parameters = tuple(told.get("parameters", ()))
                yield Operation(method.upper(), path, parameters, body)


def _resolved(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    for one in _choices(schema):
        if "$ref" in one:
            found: dict[str, Any] = document["components"]["schemas"][one["$ref"].split("/")[-1]]
            return found
    return schema


def _choices(schema: dict[str, Any]) -> tuple[dict[str, Any], ...]:
    return (schema, *schema.get("anyOf", ()))


@dataclass
class Target:
    """The API with an instance that runs, and the books of all that it could touch."""

    world: World
    agent: FakeAgent
    instance_id: str
    operations: list[Operation]

    async def send(self, one: Operation, path: str, **more: Any) -> int:
        """Send a request that has to be refused; return the status."""
        headers = await self.world.key(tenant_wide=True)
        headers = {**headers, "Content-Type": "application/json"}
        if path.startswith("/internal"):
            headers = {"Authorization": f"Bearer {OPS_TOKEN}", "If-Match": '"1"', **headers}
            del headers["X-Api-Key"]
        before = self._books()
        answer = await self.world.call(one.method, path, headers=headers, **more)
        assert 400 <= answer.status_code < 500, f"{one.method} {path}: {answer.status_code}"
        assert set(answer.json()) == {"detail"}
        assert self._books() == before
        return answer.status_code

    def _books(self) -> tuple[object, ...]:
        path = self.world.settings.database_url.removeprefix("sqlite+aiosqlite:///")
        with sqlite3.connect(path) as database:
            tables = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            names = [name for (name,) in tables.fetchall() if name != "api_keys"]
            rows = [database.execute(f"SELECT * FROM {name}").fetchall() for name in names]
        wrote = [call for call in self.world.kube.calls if call[0] != "get"]
        return rows, wrote, list(self.agent.chats)


@pytest.fixture
async def target(world: World) -> Any:
    one = world.instance("a", customerId="smoke")
    async with fake_agent.running(FakeAgent(str(one.spec.id))) as agent:
        agent.answers.set()
        world.kube.change(
            type(one),
            "a",
            "acme",
            {"status": {"agentUrl": agent.url, "agentPublicKey": agent.public_key}},
        )
        yield Target(world, agent, str(one.spec.id), list(_operations(world.app.openapi())))


@pytest.mark.parametrize("name", BODIES)
async def test_no_operation_takes_such_a_body(target: Target, name: str) -> None:
    found = [one for one in target.operations if one.body is not None]
    for one in found:
        if name == "nothing" and not one.body.get("required"):  # type: ignore[union-attr]
            continue
        assert await target.send(one, one.at(target.instance_id), content=BODIES[name]) == 422
    assert len(found) > 3


@pytest.mark.parametrize("name", TEXTS)
async def test_no_field_takes_such_a_text(target: Target, name: str) -> None:
    fields = list(_fields(target.operations, "string"))
    for one, field in fields:
        content = json.dumps({**_required(one), field: TEXTS[name]}).encode()
        assert await target.send(one, one.at(target.instance_id), content=content) in {413, 422}
    assert len(fields) > 10


async def test_no_field_takes_an_integer_beyond_64_bits(target: Target) -> None:
    fields = list(_fields(target.operations, "integer"))
    for one, field in fields:
        for number in (BEYOND_64_BITS, -BEYOND_64_BITS, 10**400):
            content = json.dumps({**_required(one), field: number}).encode()
            assert await target.send(one, one.at(target.instance_id), content=content) == 422
    assert fields


async def test_no_query_takes_what_it_cannot_mean(target: Target) -> None:
    found = [
        (one, parameter)
        for one in target.operations
        for parameter in one.parameters
        if parameter["in"] == "query"
    ]
    for one, parameter in found:
        text = any(choice.get("type") == "string" for choice in _choices(parameter["schema"]))
        numbers = () if text else (str(BEYOND_64_BITS), f"-{BEYOND_64_BITS}", "9" * 400)
        for value in ("\x00", "x" * 5000, *numbers):
            path = one.at(target.instance_id)
            await target.send(one, path, params={parameter["name"]: value})
    assert found


@pytest.mark.parametrize(
    "id_",
    [
        *("%00", "%0d%0aX-Injected:%201", "%2e%2e%2f", "%2e%2e%2f%2e%2e%2fhealthz"),
        *("%252e%252e%252f", "..%5c", "%c0%ae%c0%ae", "%ff", "*", "x" * 5000),
        "00000000-0000-0000-0000-00000000000g",
    ],
)
async def test_no_path_takes_such_an_id(target: Target, id_: str) -> None:
    """Unknown paths are 404, unknown ids too; nothing is decoded twice."""
    for one in target.operations:
        if "_id}" not in one.path:
            continue
        names = {p["name"]: id_ for p in one.parameters if p["in"] == "path"}
        assert await target.send(one, one.path.format(**names), content=b"{}") in {404, 405, 422}


def _fields(operations: list[Operation], type_: str) -> Iterator[tuple[Operation, str]]:
    for one in operations:
        for name, schema in (one.body or {}).get("properties", {}).items():
            if any(choice.get("type") == type_ for choice in _choices(schema)):
                yield one, name


def _required(one: Operation) -> dict[str, Any]:
    properties = (one.body or {}).get("properties", {})
    return {
        name: KNOWN.get(name, 1 if properties[name].get("type") == "integer" else "x")
        for name in (one.body or {}).get("required", ())
    }
