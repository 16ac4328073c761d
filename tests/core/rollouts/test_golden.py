"""Whole rollouts as stories: the log of each must be the golden one, in whatever order lists are.

The stories stand in ``stories``, by what they are about. ``UPDATE_GOLDEN=1 pytest tests/core``
writes the golden files anew; read the difference.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.core.rollouts.simulation import World
from tests.core.rollouts.stories import (
    crashes,
    failures,
    histories,
    instances,
    pace,
    plain,
    rollback,
    waves,
    windows,
    wishes,
)

GOLDEN = Path(__file__).parent / "testdata"
SEEDS = (0, 1, 2, 7)
THEMES = (plain, waves, failures, pace, rollback, windows, wishes, crashes, instances, histories)
SCENARIOS: tuple[Callable[[int], World], ...] = tuple(
    scenario for theme in THEMES for scenario in theme.STORIES
)


def story(scenario: Callable[[int], World], seed: int) -> str:
    lines = scenario(seed).log
    return "\n".join((f"# {scenario.__doc__}", "", *lines, ""))


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda s: s.__name__)
def test_story_is_the_golden_one_whatever_the_order(scenario: Callable[[int], World]) -> None:
    path = GOLDEN / f"{scenario.__name__}.golden"
    told = story(scenario, SEEDS[0])
    if os.environ.get("UPDATE_GOLDEN") == "1":
        path.write_text(told)
    assert told == path.read_text(), "UPDATE_GOLDEN=1 writes it anew; read the difference"
    for seed in SEEDS[1:]:
        assert story(scenario, seed) == told, f"the order of the lists matters (seed {seed})"


def test_no_golden_file_is_left_behind() -> None:
    assert {p.stem for p in GOLDEN.glob("*.golden")} == {s.__name__ for s in SCENARIOS}
