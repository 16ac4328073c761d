"""Byte code made beforehand."""

import importlib.util
import sys

import pytest

from hydracore_agent.orders.outcome import Aborted
from hydracore_agent.orders.precompile import precompile


@pytest.fixture
def folders(tmp_path, monkeypatch):
    running, staged = tmp_path / "running", tmp_path / "staged"
    for folder in (running, staged):
        (folder / "lib").mkdir(parents=True)
        for name in ("used", "unused"):
            (folder / "lib" / f"{name}_hc.py").write_text("x = 1\n")
    path = running / "lib" / "used_hc.py"
    spec = importlib.util.spec_from_file_location("used_hc", path)
    assert spec is not None
    monkeypatch.setitem(sys.modules, "used_hc", importlib.util.module_from_spec(spec))
    return running, staged


def test_compiles_what_runs_now(folders) -> None:
    running, staged = folders
    assert precompile(staged, running, lambda: None) == 1
    made = [path.name for path in (staged / "lib" / "__pycache__").iterdir()]
    assert [name.split(".")[0] for name in made] == ["used_hc"]


def test_leaves_alone_what_does_not_compile(folders) -> None:
    running, staged = folders
    (staged / "lib" / "used_hc.py").write_text("x = (\n")
    assert precompile(staged, running, lambda: None) == 0


def test_is_stopped_by_its_check(folders) -> None:
    running, staged = folders

    def stop() -> None:
        raise Aborted("stopped")

    with pytest.raises(Aborted):
        precompile(staged, running, stop)
