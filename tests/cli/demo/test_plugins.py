"""The plugins of the demo's runtimes do what the demo says of them."""

import importlib.util
import shutil
from pathlib import Path
from types import ModuleType

import pytest

from hydracore_agent.plugins import Registry
from hydracore_cli.demo.scene import PLUGINS


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ("What is 6 * 7?", "6 * 7 = 42"),
        ("what is (1 + 2) / -4?", "= -0.75"),
        ("What is 1 / 0?", "cannot calculate"),
        ("What is 2 ** 99?", "cannot calculate"),
    ],
)
def test_the_calculator_calculates(question: str, said: str) -> None:
    assert said in load(PLUGINS / "calculator.py").answer(question)


def test_the_calculator_is_a_plugin_as_the_agent_wants_it() -> None:
    module = load(PLUGINS / "calculator.py")
    registry = Registry(module.NAME)
    module.register(registry)
    assert registry.skills[0].matches("What is 6 * 7?")
    assert not registry.skills[0].matches("What is love?")


def test_the_calendar_suits_one_agent_of_a_machine(tmp_path: Path) -> None:
    def release(agent: str) -> Path:
        folder = tmp_path / agent / "releases" / "abc" / "plugins"
        folder.mkdir(parents=True)
        return Path(shutil.copy(PLUGINS / "calendar.py", folder))

    first = load(release("ada"))
    with pytest.raises(BlockingIOError):
        load(release("alan"))
    first.APPOINTMENTS.close()
    load(release("grace")).APPOINTMENTS.close()


def test_the_forecast_really_crashes_at_import() -> None:
    with pytest.raises(FileNotFoundError, match=r"stations\.json"):
        load(PLUGINS / "forecast.py")
