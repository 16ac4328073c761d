"""Agents are asked when their orders are likely to have ended, and never later than before."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from hydracore_agentclient import TaskReport
from hydracore_operator.rollouts.durations import MARGIN_SECONDS, Durations
from hydracore_operator.rollouts.timing import Timing

BEGAN = datetime(2030, 1, 1, tzinfo=UTC)


def _report(seconds: float, state: str = "activated") -> TaskReport:
    return TaskReport.model_validate(
        {
            "taskId": "00000000-0000-4000-8000-000000000000",
            "state": state,
            "final": True,
            "startedAt": BEGAN.isoformat(),
            "finishedAt": (BEGAN + timedelta(seconds=seconds)).isoformat(),
        }
    )


def _asked_at(durations: Durations, took: float) -> list[float]:
    """Return when an agent whose order takes ``took`` seconds is asked, its end included."""
    polls, at, asked = Timing().polls(), 0.0, []
    while not asked or asked[-1] < took:
        at += durations.wait(at, next(polls))
        asked.append(at)
    return asked


def test_without_knowledge_the_waits_only_grow() -> None:
    durations = Durations()
    assert durations.usual() is None
    assert durations.wait(3.0, 1.5) == 1.5


def test_the_end_of_a_usual_order_is_seen_at_once() -> None:
    durations = Durations()
    for _ in range(10):
        durations.note(_report(5.0))
    assert _asked_at(durations, 5.0)[-1] - 5.0 <= MARGIN_SECONDS + 1e-9
    assert _asked_at(Durations(), 5.0)[-1] - 5.0 > MARGIN_SECONDS


def test_a_late_order_is_asked_about_often_but_not_for_ever() -> None:
    durations = Durations()
    durations.note(_report(5.0))
    late = [at for at in _asked_at(durations, 60.0) if at > 5.1]
    assert late[1] - late[0] <= 0.51
    assert late[-1] - late[-2] == Timing().poll_max


def test_orders_that_failed_teach_nothing() -> None:
    durations = Durations()
    durations.note(_report(0.1, "rolled_back"))
    durations.note(_report(-1.0))
    assert durations.usual() is None


@given(
    st.lists(st.floats(0, 1000), max_size=80),
    st.floats(0, 5000),
    st.floats(0.01, 10),
)
def test_no_wait_is_longer_than_the_regular_one(
    took: list[float], elapsed: float, regular: float
) -> None:
    durations = Durations()
    for seconds in took:
        durations.note(_report(seconds))
    assert 0 < durations.wait(elapsed, regular) <= regular
