"""docs/features.md names tests that exist."""

from __future__ import annotations

import ast
import re

from hydracore_devcluster.layout import ProjectLayout

_ROW = re.compile(r"^\| (?P<feature>[^|]+) \| (?P<what>[^|]+) \| (?P<tests>.+) \|$", re.MULTILINE)
_TEST = re.compile(r"\[`(?P<name>test_\w+)`\]\(\.\./(?P<path>tests/[\w/]+\.py)\)")
ROWS = 28


def test_every_feature_has_tests_and_every_test_is_there(project: ProjectLayout) -> None:
    text = (project.root / "docs" / "features.md").read_text()
    rows = [row for row in _ROW.finditer(text) if row["feature"].strip() not in {"feature", "---"}]
    assert len(rows) == ROWS
    known: dict[str, set[str]] = {}
    for row in rows:
        named = list(_TEST.finditer(row["tests"]))
        assert named, row["feature"]
        for test in named:
            path = test["path"]
            if path not in known:
                known[path] = _tests_in((project.root / path).read_text())
            assert test["name"] in known[path], f"{row['feature']}: {path} has no {test['name']}"


def _tests_in(source: str) -> set[str]:
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {node.name for node in ast.walk(ast.parse(source)) if isinstance(node, kinds)}
