"""The configuration in force."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hydracore_agent.errors import StateError
from hydracore_agent.fields import FieldError, Fields
from hydracore_agent.updates.config import AgentConfig, ConfigStore, first_config, read_config

FIRST = AgentConfig("Ada", "Grace", workflow_slugs=("mail",))


def test_what_was_applied_counts_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    store = ConfigStore.load(path, FIRST)
    wanted = AgentConfig("Eve", "Grace", preset_id="coach", workflow_slugs=("mail",))
    assert store.apply(wanted, force=False) == ["agentName", "presetId"]
    assert ConfigStore.load(path, FIRST).current == wanted


def test_nothing_is_written_where_nothing_differs(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    assert ConfigStore.load(path, FIRST).apply(FIRST, force=False) == []
    assert not path.exists()
    applied = ConfigStore.load(path, FIRST).apply(FIRST, force=True)
    assert set(applied) == set(FIRST.to_json())


def test_the_wire_form_goes_both_ways() -> None:
    assert read_config(Fields(json.loads(json.dumps(FIRST.to_json())), "config")) == FIRST
    profile = {"userDisplayName": "Grace", "presetId": None, "workflowSlugs": ["mail"]}
    assert first_config("Ada", profile) == FIRST


@pytest.mark.parametrize(
    "wire",
    [{}, {"agentName": 7}, {"agentName": "A", "workflowSlugs": ["x" * 257]},
     {"agentName": "A", "workflowSlugs": ["x"] * 65}, {"agentName": "A" * 257}],
)  # fmt: skip
def test_what_does_not_fit_is_refused(wire: dict[str, object]) -> None:
    with pytest.raises(FieldError):
        read_config(Fields(wire, "config"))


def test_a_damaged_file_says_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text("{")
    with pytest.raises(StateError, match="remove it, and apply updates again"):
        ConfigStore.load(path, FIRST)
