"""Generate the CustomResourceDefinition YAML from the models.

``python -m hydracore_crds.generate`` writes the files that :mod:`hydracore_crds.outputs` names;
``python -m hydracore_crds.generate --check`` exits with 1 where a file differs.
"""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path
from typing import Any

from hydracore_crds import KINDS, outputs
from hydracore_crds.base import GROUP, VERSION, Column, Resource, Rule

_DROPPED = {"title", "discriminator", "$defs", "additionalProperties", "propertyNames"}
_INT32_MAX = 2**31 - 1


def structural(node: Any, defs: dict[str, Any]) -> Any:
    """Turn JSON Schema as Pydantic writes it into a structural schema of Kubernetes.

    References are resolved, ``X | None`` becomes plain ``X`` (absent means none), and keywords
    that structural schemas do not know are dropped.

    Args:
        node: A JSON Schema node.
        defs: The ``$defs`` that references point into.

    Returns:
        The same as an OpenAPI v3 structural schema.
    """
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        target = defs[node["$ref"].rsplit("/", 1)[1]]
        return structural({**target, **{k: v for k, v in node.items() if k != "$ref"}}, defs)
    if "anyOf" in node:
        options = [o for o in node["anyOf"] if o.get("type") != "null"]
        if len(options) != 1:
            raise ValueError(f"a union of several types has no structural schema: {node}")
        return structural({**options[0], **{k: v for k, v in node.items() if k != "anyOf"}}, defs)
    out = {k: v for k, v in node.items() if k not in _DROPPED}
    if "const" in out:
        out["enum"] = [out.pop("const")]
    if out.get("default", ...) in (None, [], {}):
        del out["default"]
    if not out.get("required", True):
        del out["required"]
    out.update(_nested(node, defs))
    if "maxLength" in node.get("propertyNames", {}):
        out.setdefault("x-kubernetes-validations", []).append(_key_rule(node["propertyNames"]))
    if out.get("type") == "integer":
        out["format"] = "int32" if out.get("maximum", math.inf) <= _INT32_MAX else "int64"
    return out


def _nested(node: dict[str, Any], defs: dict[str, Any]) -> dict[str, Any]:
    """Return the structural schemas of properties, items and map values."""
    out: dict[str, Any] = {}
    if "properties" in node:
        out["properties"] = {n: structural(p, defs) for n, p in node["properties"].items()}
    for keyword in ("items", "additionalProperties"):
        if isinstance(node.get(keyword), dict):
            out[keyword] = structural(node[keyword], defs)
    return out


def _key_rule(keys: dict[str, Any]) -> dict[str, str]:
    """Return the rule that bounds a map's keys, for which structural schemas have no keyword."""
    low, high = keys.get("minLength", 0), keys["maxLength"]
    return Rule(
        f"self.all(key, key.size() >= {low} && key.size() <= {high})",
        f"keys must have {low} to {high} characters",
    ).to_schema()


def schema_of(kind: type[Resource]) -> dict[str, Any]:
    """Return the openAPIV3Schema of a kind: spec, status and the kind's own CEL rules."""
    raw = kind.model_json_schema(by_alias=True, mode="validation")
    defs = raw.get("$defs", {})
    properties = {
        name: structural(raw["properties"][name], defs)
        for name in ("spec", "status")
        if name in raw["properties"]
    }
    # A name rule reads metadata.name, which the API server always offers to CEL at the root.
    schema: dict[str, Any] = {
        "type": "object",
        "description": (kind.__doc__ or "").strip(),
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            **properties,
        },
    }
    if kind.KIND.rules:
        schema["x-kubernetes-validations"] = [r.to_schema() for r in kind.KIND.rules]
    return schema


def _column(column: Column) -> dict[str, Any]:
    out: dict[str, Any] = {
        "name": column.name,
        "type": column.type,
        "jsonPath": column.json_path,
    }
    if column.priority:
        out["priority"] = column.priority
    if column.description:
        out["description"] = column.description
    return out


def definition(kind: type[Resource]) -> dict[str, Any]:
    """Return the CustomResourceDefinition of a kind."""
    info = kind.KIND
    version: dict[str, Any] = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": schema_of(kind)},
        "additionalPrinterColumns": [_column(c) for c in info.columns],
    }
    if "status" in kind.model_fields:
        version["subresources"] = {"status": {}}
    if info.selectable:
        version["selectableFields"] = [{"jsonPath": path} for path in info.selectable]
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": info.crd_name},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced" if info.namespaced else "Cluster",
            "names": {
                "kind": info.kind,
                "listKind": f"{info.kind}List",
                "plural": info.plural,
                "singular": info.kind.lower(),
                "shortNames": [info.short],
                "categories": ["hydra"],
            },
            "versions": [version],
        },
    }


def main(argv: list[str] | None = None) -> int:
    """Write or check the files; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0] if __doc__ else "")
    parser.add_argument("--check", action="store_true", help="only compare")
    parser.add_argument("--root", type=Path, default=Path(), help="root of the checkout")
    args = parser.parse_args(argv)
    stale = []
    for path, text in outputs.files([definition(kind) for kind in KINDS]).items():
        target = args.root / path
        if not args.check:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)
        elif not target.exists() or target.read_text() != text:
            stale.append(path)
    if stale:
        names = ", ".join(str(p) for p in stale)
        sys.stderr.write(f"out of date: {names}: run `make generate` and commit the result\n")
    return 1 if stale else 0


if __name__ == "__main__":
    raise SystemExit(main())
