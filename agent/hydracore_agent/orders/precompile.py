"""Byte code for a new release, made while the old one still serves, so that it starts sooner."""

from __future__ import annotations

import logging
import py_compile
import sys
from collections.abc import Callable
from pathlib import Path

log = logging.getLogger(__name__)


def precompile(staged: Path, running: Path, check: Callable[[], None]) -> int:
    """Compile the new copies of the modules that this process has loaded; return how many.

    A module that cannot be compiled is left alone: the trial will tell.

    Args:
        staged: The new release.
        running: The release that this process runs.
        check: Called between two modules; ends it by raising.
    """
    count = 0
    library = str(running / "lib") + "/"
    for path in sorted(_loaded_files()):
        target = staged / "lib" / path.removeprefix(library)
        if not path.startswith(library) or not target.is_file():
            continue
        check()
        try:
            py_compile.compile(str(target), doraise=True)
        except (py_compile.PyCompileError, OSError, ValueError) as error:
            log.info("%s is not compiled beforehand: %s", target.name, error)
        else:
            count += 1
    return count


def _loaded_files() -> set[str]:
    files = (getattr(module, "__file__", None) for module in list(sys.modules.values()))
    return {file for file in files if isinstance(file, str) and file.endswith(".py")}
