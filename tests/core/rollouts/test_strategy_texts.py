from __future__ import annotations

from typing import Any

import pytest

from hydracore_core.rollouts.strategy_texts import halts, pace, retries
from hydracore_crds.rollout import Strategy

RAMP = {"startsPerMinute": 1, "successesPerStep": 2, "maxStartsPerMinute": 30}


def of(**fields: Any) -> Strategy:
    return Strategy.model_validate(fields)


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({}, "halts at 1 failure"),
        ({"failureThreshold": {"count": 3}}, "halts at 3 failures"),
        ({"failureThreshold": {"percent": 5}}, "halts when 5% of those that ran failed"),
        (
            {"failureThreshold": {"percent": 5, "minExecuted": 20}},
            "halts when 5% of those that ran failed, once 20 targets ran",
        ),
        ({"onFailure": "continue"}, "failures do not halt it"),
    ],
)
def test_when_failures_halt_it(fields: dict[str, Any], text: str) -> None:
    assert halts(of(**fields)) == text


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({}, "a failed target is not tried again by itself"),
        ({"retryLimit": 1}, "a failed target gets up to 1 retry, after 30 s (20% more or less)"),
        (
            {"retryLimit": 3, "retryBackoffSeconds": 1000},
            "a failed target gets up to 3 retries, after 17 min, 34 min, 1 h (20% more or less)",
        ),
    ],
)
def test_how_often_a_failed_target_is_tried_again(fields: dict[str, Any], text: str) -> None:
    assert retries(of(**fields)) == text


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({}, "as many at once as the limits allow"),
        ({"staggerSeconds": 120}, "starts are 2 min apart"),
        (
            {"ramp": RAMP},
            "1 start a minute, 100% more after each 2 that succeeded, 30 at most",
        ),
    ],
)
def test_how_far_apart_starts_are(fields: dict[str, Any], text: str) -> None:
    assert pace(of(**fields)) == text
