"""Which distributions and which of their files go into a bundle."""

import importlib.metadata
from pathlib import Path

import pytest

from hydracore_artifacts.build.closure import Lookup, distribution_files, find_closure
from hydracore_artifacts.errors import BuildError


def install(
    site: Path, name: str, requires: tuple[str, ...] = (), files: tuple[str, ...] = ()
) -> None:
    """Lay out an installed distribution as an installer does."""
    info = site / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    lines = ["Metadata-Version: 2.1", f"Name: {name}", "Version: 1.0"]
    lines += ["Provides-Extra: agent", *(f"Requires-Dist: {text}" for text in requires)]
    (info / "METADATA").write_text("\n".join(lines) + "\n")
    listed = [f"{info.name}/METADATA", f"{info.name}/RECORD", *files]
    for path in files:
        target = site / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text("")
    (info / "RECORD").write_text("".join(f"{path},,\n" for path in listed))


@pytest.fixture
def lookup(tmp_path: Path) -> Lookup:
    def find(name: str) -> importlib.metadata.Distribution:
        found = list(importlib.metadata.distributions(name=name, path=[str(tmp_path)]))
        if not found:
            raise importlib.metadata.PackageNotFoundError(name)
        return found[0]

    return find


def names(found: list[importlib.metadata.Distribution]) -> list[str]:
    return [distribution.metadata["Name"] for distribution in found]


def test_only_what_the_extra_needs_with_markers_extras_and_cycles(
    tmp_path: Path, lookup: Lookup
) -> None:
    install(tmp_path, "project", ("other", "web[tls] ; extra == 'agent'"))
    install(tmp_path, "other")
    install(
        tmp_path,
        "web",
        (
            "base",
            "crypto ; extra == 'tls'",
            "never ; extra == 'unused'",
            "windows ; sys_platform == 'win32'",
        ),
    )
    install(tmp_path, "base", ("web",))
    install(tmp_path, "crypto")
    assert names(find_closure("project", "agent", lookup=lookup)) == ["base", "crypto", "web"]


def test_an_extra_asked_for_later_is_followed_too(tmp_path: Path, lookup: Lookup) -> None:
    install(tmp_path, "project", ("web ; extra == 'agent'", "zed ; extra == 'agent'"))
    install(tmp_path, "web", ("crypto ; extra == 'tls'",))
    install(tmp_path, "zed", ("web[tls]",))
    install(tmp_path, "crypto")
    assert names(find_closure("project", "agent", lookup=lookup)) == ["crypto", "web", "zed"]


def test_what_is_missing_is_named_with_who_needs_it(tmp_path: Path, lookup: Lookup) -> None:
    install(tmp_path, "project", ("web ; extra == 'agent'",))
    install(tmp_path, "web", ("gone",))
    with pytest.raises(BuildError, match="gone, needed by web, is not installed"):
        find_closure("project", "agent", lookup=lookup)
    with pytest.raises(BuildError, match="no extra named nothing"):
        find_closure("project", "nothing", lookup=lookup)


def test_files_leave_out_what_installers_add(tmp_path: Path, lookup: Lookup) -> None:
    install(
        tmp_path / "site",
        "web",
        files=(
            "web/__init__.py",
            "web/__pycache__/__init__.cpython-311.pyc",
            "web/py.typed",
            "web.pth",
            "../bin/web",
            "web-1.0.dist-info/INSTALLER",
            "web-1.0.dist-info/licenses/LICENSE",
        ),
    )
    found = next(iter(importlib.metadata.distributions(path=[str(tmp_path / "site")])))
    assert [str(path) for path, _ in distribution_files(found)] == [
        "web-1.0.dist-info/METADATA",
        "web/__init__.py",
        "web/py.typed",
        "web-1.0.dist-info/licenses/LICENSE",
    ]


def test_a_listed_file_that_is_missing_stops_the_build(tmp_path: Path) -> None:
    install(tmp_path, "web", files=("web/__init__.py",))
    (tmp_path / "web/__init__.py").unlink()
    found = next(iter(importlib.metadata.distributions(path=[str(tmp_path)])))
    with pytest.raises(BuildError, match=r"lists web/__init__\.py, which is missing"):
        list(distribution_files(found))
