"""Which installed distributions an extra of a project needs, and which of their files."""

from __future__ import annotations

import importlib.metadata
from collections import deque
from collections.abc import Callable, Iterator
from importlib.metadata import Distribution, PackageNotFoundError
from pathlib import Path, PurePosixPath

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from hydracore_artifacts.errors import BuildError

Lookup = Callable[[str], Distribution]

MAX_DISTRIBUTIONS = 500
"""More than this is not the closure of an agent: the metadata must be wrong."""

_KEPT_METADATA = ("METADATA", "WHEEL", "entry_points.txt")
_LICENCE_PREFIXES = ("LICENSE", "LICENCE", "COPYING", "NOTICE", "AUTHORS")


def find_closure(
    project: str, extra: str, *, lookup: Lookup = importlib.metadata.distribution
) -> list[Distribution]:
    """Return what the extra of the installed project needs, directly and indirectly, by name.

    Only the extra counts, not the project's other requirements, nor the project itself. Markers
    are evaluated for the running interpreter.

    Raises:
        BuildError: the project has no such extra, or something it needs is not installed.
    """
    found: dict[str, Distribution] = {}
    seen: set[tuple[str, str]] = set()
    root = _find(project, f"project {project}", lookup)
    queue = deque(_required(root, extra))
    if not queue:
        raise BuildError(f"the project {project} has no extra named {extra}")
    while queue:
        requirement, wanted_by = queue.popleft()
        name = canonicalize_name(requirement.name)
        distribution = found.get(name) or _find(requirement.name, wanted_by, lookup)
        found[name] = distribution
        if len(found) > MAX_DISTRIBUTIONS:
            raise BuildError(f"extra {extra} needs more than {MAX_DISTRIBUTIONS} distributions")
        for wanted in ("", *sorted(requirement.extras)):
            if (name, wanted) not in seen:
                seen.add((name, wanted))
                queue.extend(_required(distribution, wanted))
    return [found[name] for name in sorted(found)]


def distribution_files(distribution: Distribution) -> Iterator[tuple[PurePosixPath, Path]]:
    """Yield the files to ship: their path below the bundle's ``lib`` and where they lie.

    Left out is what installers add or change: byte code, scripts, RECORD and the like.

    Raises:
        BuildError: the distribution does not list its files, or a listed file is missing.
    """
    name = distribution.metadata["Name"]
    if distribution.files is None:
        raise BuildError(f"{name} does not list its files: install it again from a wheel")
    for listed in distribution.files:
        path = PurePosixPath(listed.as_posix())
        if not _is_shipped(path):
            continue
        source = Path(str(distribution.locate_file(listed)))
        if not source.is_file():
            raise BuildError(f"{name} lists {path}, which is missing: install it again")
        yield path, source


def _find(name: str, wanted_by: str, lookup: Lookup) -> Distribution:
    try:
        return lookup(name)
    except PackageNotFoundError:
        raise BuildError(
            f"{name}, needed by {wanted_by}, is not installed: run `make setup`"
        ) from None


def _required(distribution: Distribution, extra: str) -> Iterator[tuple[Requirement, str]]:
    """Yield what this extra adds, or with "" what is always required; each with who wants it."""
    for text in distribution.requires or ():
        requirement = Requirement(text)
        marker = requirement.marker
        holds = marker is None or marker.evaluate({"extra": extra})
        holds_anyway = marker is None or marker.evaluate({"extra": ""})
        if holds and not (extra and holds_anyway):
            yield requirement, distribution.metadata["Name"]


def _is_shipped(path: PurePosixPath) -> bool:
    if path.is_absolute() or ".." in path.parts or "__pycache__" in path.parts:
        return False
    if path.suffix in {".pyc", ".pyo", ".pth"}:
        return False
    if not path.parts[0].endswith(".dist-info"):
        return True
    if len(path.parts) == 2:  # noqa: PLR2004 - directly in the dist-info folder
        return path.name in _KEPT_METADATA or path.name.startswith(_LICENCE_PREFIXES)
    return path.parts[1] in {"licenses", "license_files"}
