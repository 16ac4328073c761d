"""Every implemented operation is the one of the public contract, field by field."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import pytest

from hydracore_api.openapi import document, main

CONTRACT = Path(__file__).resolve().parents[2] / ".." / "shared" / "spec" / "contract.json"

IMPLEMENTED = 46
"""How many of the contract's operations stand; it only rises."""

_FLEET = "/v1/instances/fleet/runtime/rollouts"
ADDITIONS = {
    (f"{_FLEET}/{{rollout_id}}/approve", "post"),
    (f"{_FLEET}/plan", "post"),
    (f"{_FLEET}/{{rollout_id}}/rollback", "post"),
    ("/v1/instances/fleet/runtime-rollouts/{rollout_id}/events", "get"),
    ("/v1/mcp/api-key-context", "get"),
    ("/internal/v1/platform/policy", "get"),
    ("/internal/v1/platform/policy", "put"),
}
"""Routes of our own beside those of the contract, which stay as they are."""

DEFAULT_TEXTS = {
    "agent",
    "expressclaw",
    "notify",
    "platform_default",
    "personal_assistant",
}
"""Literals in the contract's samples that are defaults (spec/rest.md)."""

ADDED_FIELDS = {
    "FleetPolicy": {
        "windows",
        "opening_jitter_seconds",
        "window_open",
        "next_opens_at",
        "window_message",
        "platform_frozen",
        "platform_frozen_until",
        "platform_message",
    },
    "FleetRolloutStarted": {"warnings"},
    "AddMemory": {"content", "kind", "customer_id", "conversation_id"},
    "ForgetMemory": {"memory_id", "kind", "customer_id", "conversation_id"},
    "RolloutTargetView": {"takes_back"},
    "TimelineEntry": {"takes_back"},
    "FleetPolicyChange": {"windows", "opening_jitter_seconds"},
}
"""Fields of our own, by schema; in bodies they may all be left out."""


def load() -> list[dict[str, Any]]:
    if not CONTRACT.exists():
        pytest.skip(f"{CONTRACT} is not here: the contract stands beside the checkout")
    found: list[dict[str, Any]] = json.loads(CONTRACT.read_text())
    return found


@functools.cache
def pairs() -> list[tuple[dict[str, Any], dict[str, Any], dict[str, Any]]]:
    """Contract entry, our operation and our document, for each that is implemented."""
    ours = document()
    return [
        (entry, ours["paths"][entry["path"]][entry["method"].lower()], ours)
        for entry in load()
        if entry["method"].lower() in ours["paths"].get(entry["path"], {})
    ]


def resolve(schema: dict[str, Any], ours: dict[str, Any]) -> dict[str, Any]:
    """Follow references, and the one that is not null of a nullable."""
    while True:
        if "$ref" in schema:
            schema = ours["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        elif "anyOf" in schema:
            rest = [one for one in schema["anyOf"] if one.get("type") != "null"]
            schema = {**{k: v for k, v in schema.items() if k != "anyOf"}, **rest[0]}
        else:
            return schema


def ident(value: object) -> str:
    return (
        f"{value['method']} {value['path']}" if isinstance(value, dict) and "path" in value else ""
    )


def test_nothing_that_stood_is_lost() -> None:
    assert len(pairs()) >= IMPLEMENTED


def test_v1_has_what_the_contract_knows_and_the_additions() -> None:
    known = {(entry["path"], entry["method"].lower()) for entry in load()}
    ours = {
        (path, method)
        for path, methods in document()["paths"].items()
        for method in methods
        if path.startswith(("/v1/", "/internal/"))
    }
    assert ours - known == ADDITIONS
    assert not known & ADDITIONS


def test_parameters_are_those_of_the_contract() -> None:
    for entry, operation, ours in pairs():
        parameters = {(p["in"], p["name"]): p for p in operation.get("parameters", [])}
        expected = (
            {("path", name) for name in entry["path_params"]}
            | {("query", name) for name in entry["query"]}
            | {("header", name) for name in entry["headers"]}
        )
        assert set(parameters) == expected, ident(entry)
        for place, names in (("path", "path_params"), ("query", "query"), ("header", "headers")):
            for name, wanted in entry[names].items():
                found = parameters[(place, name)]
                where = f"{ident(entry)} {name}"
                assert found["required"] == wanted["required"], where
                check_schema(resolve(found["schema"], ours), wanted, where)


def test_bodies_are_those_of_the_contract() -> None:
    for entry, operation, ours in pairs():
        if "body" not in entry:
            assert "requestBody" not in operation, ident(entry)
            continue
        content = operation["requestBody"]["content"]["application/json"]["schema"]
        schema = resolve(content, ours)
        assert own_fields_apart(schema) == set(entry["body"]), ident(entry)
        assert schema["additionalProperties"] is False, ident(entry)
        if entry.get("body_free_form"):
            continue  # what it may hold is ours to say
        required = {name for name, wanted in entry["body"].items() if wanted["required"]}
        assert set(schema.get("required", [])) == required, ident(entry)
        for name, wanted in entry["body"].items():
            found = resolve(schema["properties"][name], ours)
            check_schema(found, wanted, f"{ident(entry)} {name}")


def own_fields_apart(schema: dict[str, Any]) -> set[str]:
    added = ADDED_FIELDS.get(schema["title"], set())
    assert added <= set(schema["properties"])
    return set(schema["properties"]) - added


def check_schema(found: dict[str, Any], wanted: dict[str, Any], where: str) -> None:
    if "format" in wanted:
        assert found.get("format") == wanted["format"], where
    if "default" in wanted:
        assert found.get("default") == wanted["default"], where
    if "description" in wanted:
        assert wanted["description"] in found.get("description", wanted["description"]), where
    if "range" in wanted:
        assert bounds(found, "minimum", "maximum", "value") == wanted["range"], where
    if "length" in wanted:
        assert bounds(found, "minLength", "maxLength", "length") == wanted["length"], where
    if "pattern" in wanted:
        assert found.get("pattern") == wanted["pattern"], where


def bounds(found: dict[str, Any], low: str, high: str, word: str) -> str:
    left = f"{found[low]} <= " if low in found else ""
    right = f" <= {found[high]}" if high in found else ""
    return f"{left}{word}{right}"


def test_responses_have_exactly_the_fields_of_the_contract() -> None:
    compared = 0
    for entry, operation, ours in pairs():
        if entry["response_example"] is None:
            continue
        code = next(code for code in operation["responses"] if code.startswith("2"))
        schema = operation["responses"][code]["content"]["application/json"]["schema"]
        compare(entry["response_example"], schema, ours, ident(entry))
        compared += 1
    assert compared >= IMPLEMENTED - 8


def compare(sample: Any, schema: dict[str, Any], ours: dict[str, Any], where: str) -> None:
    """Compare a sample of the contract with a schema of ours."""
    default = schema.get("default")
    schema = resolve(schema, ours)
    if isinstance(sample, list):
        assert schema["type"] == "array", where
        if sample:
            compare(sample[0], schema["items"], ours, f"{where}[]")
    elif isinstance(sample, dict) and set(sample) == {"property1", "property2"}:
        assert schema["additionalProperties"] == {"type": "boolean"}, where
    elif isinstance(sample, dict) and sample:
        assert own_fields_apart(schema) == set(sample), where
        for name, inner in sample.items():
            compare(inner, schema["properties"][name], ours, f"{where}.{name}")
    elif isinstance(sample, dict):
        assert schema["type"] == "object", where
    elif isinstance(sample, bool):
        assert schema["type"] == "boolean", where
        assert default == sample, where
    elif isinstance(sample, int):
        assert schema["type"] in ("integer", "number"), where
    else:
        assert schema["type"] == "string", where
        assert (schema.get("format") == "date-time") == sample.startswith("2019-"), where
        if sample in DEFAULT_TEXTS:
            assert default == sample, where


def test_every_operation_is_documented() -> None:
    ids: list[str] = []
    for path, methods in document()["paths"].items():
        for operation in methods.values():
            ids.append(operation["operationId"])
            assert operation["summary"], path
            assert operation["description"], path
            if path.startswith(("/v1/", "/agent/")):
                assert {"401", "403", "503"} <= set(operation["responses"]), path
    assert len(ids) == len(set(ids))


def test_the_committed_document_is_what_the_code_says(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--check"]) == 0
    stale = tmp_path / "openapi.json"
    assert main([str(stale)]) == 0
    assert main(["--check", str(stale)]) == 0
    stale.write_text(stale.read_text().replace("Create an instance", "Make an instance"))
    assert main(["--check", str(stale)]) == 1
    assert "Make an instance" in capsys.readouterr().err
