"""The generated definitions: in step with the models, bounded, and of the shape that we promise."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from hydracore_crds import KINDS
from hydracore_crds.base import Resource
from hydracore_crds.generate import definition, main, schema_of
from hydracore_crds.outputs import CHART
from hydracore_devcluster.layout import ProjectLayout

JSON = dict[str, Any]


def test_the_files_are_in_step_with_the_models(project: ProjectLayout) -> None:
    assert main(["--check", "--root", str(project.root)]) == 0


def test_a_changed_file_and_a_missing_one_are_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--root", str(tmp_path)]) == 0
    (tmp_path / "crds" / "bundles.yaml").write_text("edited: by hand\n")
    (tmp_path / CHART / "rollouts.yaml").unlink()
    assert main(["--check", "--root", str(tmp_path)]) == 1
    said = capsys.readouterr().err
    assert "out of date: crds/bundles.yaml, " in said
    assert f"{CHART}/rollouts.yaml: " in said
    assert "instances.yaml" not in said
    assert "make generate" in said


def test_there_are_no_files_of_kinds_that_are_gone(project: ProjectLayout) -> None:
    for folder in (project.crds, project.root / CHART):
        assert {p.name for p in folder.glob("*.yaml")} == {
            f"{kind.KIND.plural}.yaml" for kind in KINDS
        }


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_kind_has_what_all_have(kind: type[Resource]) -> None:
    crd = definition(kind)
    names = crd["spec"]["names"]
    version = crd["spec"]["versions"][0]
    assert names["categories"] == ["hydra"]
    assert len(names["shortNames"]) == 1
    assert version["additionalPrinterColumns"][-1]["name"] == "Age"
    schema = version["schema"]["openAPIV3Schema"]
    assert schema["x-kubernetes-validations"]
    if "status" in schema["properties"]:
        status = schema["properties"]["status"]["properties"]
        assert version["subresources"] == {"status": {}}
        assert {"conditions", "observedGeneration"} <= set(status)
        assert status["conditions"]["x-kubernetes-list-map-keys"] == ["type"]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_everything_is_bounded(kind: type[Resource]) -> None:
    assert list(problems(schema_of(kind))) == []


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_the_file_reads_as_the_definition(kind: type[Resource], project: ProjectLayout) -> None:
    file = project.crds / f"{kind.KIND.plural}.yaml"
    assert yaml.safe_load(file.read_text()) == definition(kind)


def problems(schema: JSON) -> Iterator[str]:
    """Yield what is unbounded in spec and status."""
    for part in ("spec", "status"):
        if part in schema["properties"]:
            yield from _problems(schema["properties"][part], part)


def _problems(node: JSON, where: str) -> Iterator[str]:
    kind = node.get("type")
    if kind not in {"string", "integer", "boolean", "array", "object"}:
        yield f"{where}: type {kind} is not allowed"
    if kind == "string" and not ({"maxLength", "enum"} & set(node) or _is_time(node)):
        yield f"{where}: string without maxLength"
    if kind == "array":
        if "maxItems" not in node:
            yield f"{where}: list without maxItems"
        yield from _problems(node["items"], f"{where}[]")
    if kind == "object":
        yield from _object_problems(node, where)


def _object_problems(node: JSON, where: str) -> Iterator[str]:
    values = node.get("additionalProperties")
    if values is not None:
        rules = [r["rule"] for r in node.get("x-kubernetes-validations", [])]
        if "maxProperties" not in node:
            yield f"{where}: map without maxProperties"
        if not any("key.size() <=" in rule for rule in rules):
            yield f"{where}: map whose keys have no bound"
        yield from _problems(values, f"{where}{{}}")
    elif "properties" not in node:
        yield f"{where}: object without properties"
    if node.get("x-kubernetes-preserve-unknown-fields"):
        yield f"{where}: keeps unknown fields"
    for rule in node.get("x-kubernetes-validations", []):
        if not rule.get("message"):
            yield f"{where}: rule without message: {rule['rule']}"
    for name, child in node.get("properties", {}).items():
        yield from _problems(child, f"{where}.{name}")


def _is_time(node: JSON) -> bool:
    return node.get("format") == "date-time"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"type": "string"}, "spec.new: string without maxLength"),
        ({"type": "number"}, "spec.new: type number is not allowed"),
        ({"type": "array", "items": {"type": "integer"}}, "spec.new: list without maxItems"),
        (
            {"type": "object", "additionalProperties": {"type": "integer"}},
            "spec.new: map without maxProperties",
        ),
        ({"type": "object"}, "spec.new: object without properties"),
    ],
)
def test_the_lint_finds_what_it_is_for(change: JSON, said: str) -> None:
    schema = copy.deepcopy(schema_of(KINDS[0]))
    schema["properties"]["spec"]["properties"]["new"] = change
    assert said in list(problems(schema))
