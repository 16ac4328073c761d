"""The file with which people and programs use a stack: ``KEY=VALUE`` lines."""

from __future__ import annotations

import re
from pathlib import Path

from hydracore_cli.errors import CliError
from hydracore_devcluster.layout import write_private

_LINE = re.compile(r"([A-Z][A-Z0-9_]*)=(.*)")
_PLAIN = re.compile(r"[A-Za-z0-9_./:@%+,=-]*")


def write_env(path: Path, values: dict[str, str]) -> None:
    """Write the file in one step, for its owner only.

    Values are written so that a shell that reads the file sees the same.
    """
    lines = [f"{key}={_quoted(value)}" for key, value in values.items()]
    write_private(path, ("\n".join(lines) + "\n").encode())


def read_env(path: Path) -> dict[str, str]:
    """Read the file; an absent one is empty.

    Raises:
        CliError: a line is not ``KEY=VALUE``.
    """
    try:
        lines = path.read_text().splitlines()
    except FileNotFoundError:
        return {}
    values = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.startswith("#"):
            continue
        match = _LINE.fullmatch(line.strip())
        if match is None:
            raise CliError(f"{path}, line {number}: not KEY=VALUE; delete it and run `make up`")
        values[match[1]] = _unquoted(match[2])
    return values


def _quoted(value: str) -> str:
    # Plain values stay bare, so that every reader of KEY=VALUE lines understands them.
    if _PLAIN.fullmatch(value):
        return value
    return "'" + value.replace("'", "'\\''") + "'"


def _unquoted(value: str) -> str:
    if len(value) > 1 and value[0] == value[-1] == "'":
        return value[1:-1].replace("'\\''", "'")
    return value
