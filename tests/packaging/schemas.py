"""JSON schemas for kubeconform: of the definitions, and of what the real API server serves."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

JSON = dict[str, Any]

LOCATION = "{{.ResourceKind}}_{{.Group}}_{{.ResourceAPIVersion}}.json"
"""How kubeconform finds a file (it makes the kind lower case)."""

CORE = (
    "api/v1",
    "apis/apps/v1",
    "apis/batch/v1",
    "apis/policy/v1",
    "apis/networking.k8s.io/v1",
    "apis/admissionregistration.k8s.io/v1",
    "apis/rbac.authorization.k8s.io/v1",
    "apis/apiextensions.k8s.io/v1",
)
"""Documents of /openapi/v3 with the kinds that the packaging uses."""


def from_definitions(definitions: Iterable[JSON], folder: Path) -> None:
    """Write a schema for each version of each definition."""
    for definition in definitions:
        spec = definition["spec"]
        for version in spec["versions"]:
            schema = closed(version["schema"]["openAPIV3Schema"])
            schema["required"] = ["apiVersion", "kind", "metadata", *schema["required"]]
            _write(folder, spec["names"]["kind"], spec["group"], version["name"], schema)


def from_openapi(document: JSON, folder: Path) -> None:
    """Write a schema for each kind of a document of /openapi/v3."""
    components = closed({"schemas": document["components"]["schemas"]})
    for name, schema in document["components"]["schemas"].items():
        for kind in schema.get("x-kubernetes-group-version-kind", []):
            if "metadata" not in schema.get("properties", {}):
                continue
            whole = {
                "$ref": f"#/components/schemas/{name}",
                "required": ["apiVersion", "kind"],
                "components": components,
            }
            _write(folder, kind["kind"], kind["group"], kind["version"], whole)


def closed(node: Any) -> Any:
    """Return a schema that refuses fields which it does not name."""
    if isinstance(node, list):
        return [closed(item) for item in node]
    if not isinstance(node, dict):
        return node
    found = {key: closed(value) for key, value in node.items()}
    named = isinstance(node.get("properties"), dict) and node.get("type") == "object"
    if named and "additionalProperties" not in node:
        found["additionalProperties"] = False
    return found


def _write(folder: Path, kind: str, group: str, version: str, schema: JSON) -> None:
    # For a kind without a group kubeconform takes the version as its group.
    (folder / f"{kind.lower()}_{group or version}_{version}.json").write_text(json.dumps(schema))
