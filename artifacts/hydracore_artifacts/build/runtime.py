"""A runtime bundle: the agent's source, what it needs, plugins and a manifest."""

from __future__ import annotations

import ast
import importlib.util
import json
import sys
import sysconfig
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import semver
from pydantic import TypeAdapter, ValidationError

from hydracore_artifacts.build.archive import write_archive
from hydracore_artifacts.build.closure import distribution_files, find_closure
from hydracore_artifacts.digest import Digest, digest_file
from hydracore_artifacts.errors import BuildError
from hydracore_crds.base import Slug

COMPONENT = "runtime"
PROJECT = "hydracore"
AGENT_EXTRA = "agent"
AGENT_PACKAGE = "hydracore_agent"
DEFAULT_SLUG = "expressclaw"
MANIFEST = PurePosixPath("manifest.json")

Members = dict[PurePosixPath, Path | bytes]


@dataclass(frozen=True, slots=True)
class RuntimeRequest:
    """What to build: a version of a slug, with plugins (files of Python source)."""

    version: str
    slug: str = DEFAULT_SLUG
    plugins: Sequence[Path] = field(default=())


@dataclass(frozen=True, slots=True)
class BuiltBundle:
    """What was built."""

    path: Path
    digest: Digest
    manifest: dict[str, Any]
    files: int


def build_runtime(request: RuntimeRequest, out: Path) -> BuiltBundle:
    """Build the runtime bundle from what is installed here and write it to ``out``.

    The same sources give the same bytes.

    Raises:
        BuildError: slug, version or a plugin is wrong, or something needed is not installed.
        OSError: a file cannot be read or ``out`` cannot be written.
    """
    _check_names(request)
    members: Members = {}
    for path, source in _agent_source():
        members[PurePosixPath("lib") / path] = source
    for distribution in find_closure(PROJECT, AGENT_EXTRA):
        for path, source in distribution_files(distribution):
            members[PurePosixPath("lib") / path] = source
    plugins = _plugins(request.plugins)
    members.update(plugins)
    manifest = _manifest(request, [path.stem for path in sorted(plugins)])
    members[MANIFEST] = (json.dumps(manifest, indent=1, sort_keys=True) + "\n").encode()
    write_archive(out, members)
    return BuiltBundle(out, digest_file(out), manifest, len(members))


def _check_names(request: RuntimeRequest) -> None:
    if not semver.Version.is_valid(request.version):
        raise BuildError(
            f"{request.version!r} is not a semantic version: write it as 1.2.3 or 1.2.3-rc.1"
        )
    try:
        TypeAdapter(Slug).validate_python(request.slug)
    except ValidationError:
        raise BuildError(
            f"{request.slug!r} is not a slug: at most 32 of a-z, 0-9 and '-', "
            "with a letter or digit at both ends"
        ) from None


def _manifest(request: RuntimeRequest, plugins: list[str]) -> dict[str, Any]:
    return {
        "component": COMPONENT,
        "slug": request.slug,
        "version": request.version,
        "python": f"cp{sys.version_info.major}{sys.version_info.minor}",
        "platform": sysconfig.get_platform().replace("-", "_"),
        "entrypoint": ["-m", AGENT_PACKAGE],
        "plugins": plugins,
    }


def _agent_source() -> Iterator[tuple[PurePosixPath, Path]]:
    spec = importlib.util.find_spec(AGENT_PACKAGE)
    folders = list(spec.submodule_search_locations or ()) if spec is not None else []
    if not folders:
        raise BuildError(f"the package {AGENT_PACKAGE} is not installed: run `make setup`")
    root = Path(folders[0])
    for source in sorted(root.rglob("*")):
        path = source.relative_to(root)
        hidden = any(part.startswith(".") or part == "__pycache__" for part in path.parts)
        if source.is_file() and not hidden and source.suffix != ".pyc":
            yield PurePosixPath(AGENT_PACKAGE) / path.as_posix(), source


def _plugins(files: Sequence[Path]) -> Members:
    """Return the plugins' members; they are parsed, never run."""
    members: Members = {}
    for file in files:
        if not file.stem.isidentifier() or file.suffix != ".py":
            raise BuildError(f"plugin {file}: its name must be <python identifier>.py")
        try:
            source = file.read_bytes()
            ast.parse(source, filename=str(file))
        except OSError as error:
            raise BuildError(f"plugin {file} cannot be read: {error.strerror}") from error
        except (SyntaxError, ValueError) as error:
            raise BuildError(f"plugin {file} is not Python: {error}") from error
        path = PurePosixPath("plugins") / file.name
        if path in members:
            raise BuildError(f"two plugins are named {file.name}: rename one")
        members[path] = source
    return members
