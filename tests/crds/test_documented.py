"""docs/rollouts.md explains every field of a Rollout."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import BaseModel

from hydracore_crds.rollout import RolloutSpec, RolloutStatus, Strategy, Wave, WaveStatus

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "rollouts.md"


@pytest.mark.parametrize("model", [RolloutSpec, Strategy, Wave, RolloutStatus, WaveStatus])
def test_every_field_of_a_rollout_is_in_the_guide(model: type[BaseModel]) -> None:
    text = GUIDE.read_text()
    wire = {field.alias or name for name, field in model.model_fields.items()}
    missing = {name for name in wire if f"`{name}`" not in text and f".{name}`" not in text}
    assert not missing - {"strategy"}
