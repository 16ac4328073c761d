"""Loading a release's plugins."""

import pytest

from hydracore_agent.plugins import PluginError, load_plugins

GREET = """
NAME = "greet"
def register(registry):
    registry.add_skill(description="greets", matches=lambda m: True, answer=lambda m: "hi " + m)
"""


def test_loads_in_order_with_skills(tmp_path) -> None:
    (tmp_path / "b.py").write_text(GREET)
    (tmp_path / "a.py").write_text('NAME = "quiet"\ndef register(registry): pass\n')
    quiet, greet = load_plugins(tmp_path)
    assert (quiet.name, quiet.skills) == ("quiet", ())
    assert greet.skills[0].answer("you") == "hi you"


def test_no_folder_is_no_plugin(tmp_path) -> None:
    assert load_plugins(tmp_path / "plugins") == ()


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("def register(registry): pass", "must define NAME"),
        ("NAME = 3\ndef register(registry): pass", "must define NAME"),
        ('NAME = "x"', "must define register"),
    ],
)
def test_says_what_a_plugin_lacks(tmp_path, source, reason) -> None:
    (tmp_path / "p.py").write_text(source)
    with pytest.raises(PluginError, match=reason):
        load_plugins(tmp_path)


def test_refuses_two_of_one_name(tmp_path) -> None:
    (tmp_path / "a.py").write_text(GREET)
    (tmp_path / "b.py").write_text(GREET)
    with pytest.raises(PluginError, match="two plugins have the NAME 'greet'"):
        load_plugins(tmp_path)


def test_an_error_at_import_is_not_swallowed(tmp_path) -> None:
    (tmp_path / "p.py").write_text("raise RuntimeError('boom')")
    with pytest.raises(RuntimeError, match="boom"):
        load_plugins(tmp_path)
