"""The table of docs/reliability.md and the tests that it names are in step."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from pathlib import Path

from hydracore_devcluster.layout import ProjectLayout

PROMISED = {8, *range(10, 23), 26, 27, 28}
"""Faults of which each has a test of its own here."""
_ROW = re.compile(r"^\| (\d+) \| (?P<rest>.*) \|$", re.MULTILINE)
_LINK = re.compile(r"\[[^\]]*\]\(\.\./(tests/[^)#]+)\)")


def test_every_fault_has_its_tests_and_every_row_its_result(project: ProjectLayout) -> None:
    table = _table(project.root)
    marked = _marked(project.root)
    assert set(marked) >= PROMISED
    assert {number: row[0] for number, row in table.items()} == dict(marked)
    assert all(result for _, result in table.values())


def _table(root: Path) -> dict[int, tuple[set[str], str]]:
    """Return, by fault, the test files that its row links to, and the result."""
    text = (root / "docs" / "reliability.md").read_text()
    found = {}
    for match in _ROW.finditer(text):
        _fault, tests, result = (cell.strip() for cell in match["rest"].split(" | "))
        found[int(match[1])] = (set(_LINK.findall(tests)), result)
    return found


def _marked(root: Path) -> dict[int, set[str]]:
    """Return, by fault, the test files that carry its marker."""
    found: dict[int, set[str]] = defaultdict(set)
    for path in sorted((root / "tests").rglob("test_*.py")):
        text = path.read_text()
        if "mark.fault(" not in text:
            continue
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.fault":
                for argument in node.args:
                    found[ast.literal_eval(argument)].add(path.relative_to(root).as_posix())
    return found
