"""The runtime bundle: reproducible, complete, and free of what is not the agent's."""

import json
import os
import tarfile
from pathlib import Path

import pytest

from hydracore_artifacts.build.runtime import RuntimeRequest, build_runtime
from hydracore_artifacts.errors import BuildError


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("built")
    plugin = folder / "weather.py"
    plugin.write_text('NAME = "weather"\n')
    build_runtime(RuntimeRequest("1.2.3", plugins=(plugin,)), folder / "out.tar.gz")
    return folder / "out.tar.gz"


def members(path: Path) -> list[tarfile.TarInfo]:
    with tarfile.open(path) as archive:
        return archive.getmembers()


def test_two_builds_give_the_same_bytes(tmp_path: Path, built: Path) -> None:
    plugin = tmp_path / "weather.py"
    plugin.write_text('NAME = "weather"\n')
    os.utime(plugin, (1, 1))
    plugin.chmod(0o600)
    again = build_runtime(RuntimeRequest("1.2.3", plugins=(plugin,)), tmp_path / "again.tar.gz")
    assert again.path.read_bytes() == built.read_bytes()


def test_another_version_is_another_digest(tmp_path: Path) -> None:
    first = build_runtime(RuntimeRequest("1.0.0"), tmp_path / "1")
    second = build_runtime(RuntimeRequest("1.0.1"), tmp_path / "2")
    assert first.digest.sha256 != second.digest.sha256


def test_it_holds_agent_dependencies_manifest_and_plugins(built: Path) -> None:
    names = {member.name for member in members(built)}
    assert {"manifest.json", "plugins/weather.py", "lib/hydracore_agent/__init__.py"} <= names
    for package in ("uvicorn", "starlette", "httpx", "jwt", "cryptography", "anyio", "h11"):
        assert f"lib/{package}/__init__.py" in names
    with tarfile.open(built) as archive:
        stream = archive.extractfile("manifest.json")
        assert stream is not None
        manifest = json.load(stream)
    assert manifest["component"] == "runtime"
    assert (manifest["slug"], manifest["version"]) == ("expressclaw", "1.2.3")
    assert manifest["entrypoint"] == ["-m", "hydracore_agent"]
    assert manifest["plugins"] == ["weather"]


def test_nothing_of_operator_or_api_is_in_it(built: Path) -> None:
    tops = {member.name.split("/")[1] for member in members(built) if "/" in member.name}
    packages = {top.split(".")[0].split("-")[0].lower() for top in tops}
    assert {name for name in packages if name.startswith("hydracore")} == {"hydracore_agent"}
    assert not packages & {
        "kopf", "kubernetes", "fastapi", "pydantic", "sqlalchemy", "aiohttp", "alembic",
        "obstore", "typer", "rich", "pytest", "psycopg", "pip", "setuptools",
    }  # fmt: skip


def test_nothing_in_it_depends_on_this_machine(built: Path) -> None:
    for member in members(built):
        assert member.isfile()
        assert (member.mtime, member.uid, member.gid, member.uname) == (0, 0, 0, "")
        assert member.mode == 0o644
        path = Path(member.name)
        assert not path.is_absolute()
        assert ".." not in path.parts
        assert path.suffix not in {".pyc", ".pth"}
        assert path.name not in {"RECORD", "INSTALLER", "REQUESTED", "direct_url.json"}
        assert path.parts[0] in {"lib", "plugins", "manifest.json"}
    names = [member.name for member in members(built)]
    assert names == sorted(names, key=lambda name: Path(name).parts)


@pytest.mark.parametrize("version", ["1.0", "v1.0.0", "1.0.0-01", ""])
def test_what_is_no_version_is_refused(tmp_path: Path, version: str) -> None:
    with pytest.raises(BuildError, match="semantic version"):
        build_runtime(RuntimeRequest(version), tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_slug_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="not a slug"):
        build_runtime(RuntimeRequest("1.0.0", slug="Express Claw"), tmp_path / "out")


def test_bad_plugins_are_refused(tmp_path: Path) -> None:
    broken = tmp_path / "broken.py"
    broken.write_text("def (:\n")
    good = tmp_path / "good.py"
    good.write_text("NAME = 'good'\n")
    for plugins, message in (
        ((broken,), "is not Python"),
        ((tmp_path / "absent.py",), "cannot be read"),
        ((tmp_path / "not-a-name.py",), "python identifier"),
        ((good, good), "two plugins"),
    ):
        with pytest.raises(BuildError, match=message):
            build_runtime(RuntimeRequest("1.0.0", plugins=plugins), tmp_path / "out")
    assert not (tmp_path / "out").exists()
