"""When an agent is asked again, for agents and networks of every kind."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice, pairwise

from hypothesis import given
from hypothesis import strategies as st

from hydracore_operator.rollouts.pace import MOST_CUTS, Pace
from hydracore_operator.rollouts.timing import Timing

TIMING = Timing()
WAIT = TIMING.long_poll
Step = tuple[bool, float]
"""Whether the agent works on the order, and how long the question took."""


def _taken() -> Pace:
    """Return the pace of an order that the agent has just taken."""
    pace = Pace(TIMING)
    pace.note(works=True, took=0.01)
    return pace


def _followed(pace: Pace, answer: Callable[[float], Step], rounds: int) -> list[tuple[float, bool]]:
    """Return when questions were asked, and which were to wait; the agent answers as it will."""
    at, asked = 0.0, []
    for _ in range(rounds):
        at += pace.pause
        asked.append((round(at, 3), pace.wait > 0))
        works, took = answer(pace.wait)
        pace.note(works=works, took=took)
        at += took
    return asked


def test_an_order_that_was_taken_is_waited_for_at_once() -> None:
    pace = _taken()
    assert (pace.wait, pace.pause) == (WAIT, 0.0)


def test_an_order_that_takes_long_is_waited_for_again_and_again() -> None:
    asked = _followed(_taken(), lambda wait: (True, wait), 4)
    assert asked == [(0, True), (WAIT, True), (2 * WAIT, True), (3 * WAIT, True)]


def test_an_order_that_was_not_taken_is_asked_about_with_pauses() -> None:
    asked = _followed(Pace(TIMING), lambda _: (False, 0.0), 5)
    assert asked == [(0, False), (0.5, False), (1.5, False), (3.5, False), (5.5, False)]


def test_an_older_agent_that_answers_at_once_is_asked_with_the_same_pauses() -> None:
    asked = _followed(_taken(), lambda _: (True, 0.0), 5)
    assert [at for at, _ in asked] == [0, 0.5, 1.5, 3.5, 5.5]


def test_an_agent_that_restarts_is_found_again_soon() -> None:
    """Its connection was cut after three seconds; it is back two seconds later."""
    away = iter([(False, 3.0), (False, 0.0), (False, 0.0), (True, 0.0)])
    asked = _followed(_taken(), lambda wait: next(away, (True, wait)), 5)
    assert asked == [(0, True), (3.5, False), (4.5, False), (6.5, False), (6.5, True)]


def test_a_restart_is_met_with_short_pauses_whatever_was_before() -> None:
    pace = _taken()
    _followed(pace, lambda _: (True, 0.0), 6)
    assert pace.pause == TIMING.poll_max
    pace.note(works=False, took=1.0)
    assert pace.pause == TIMING.poll_first


def test_an_agent_that_says_it_is_about_to_restart_is_asked_after_the_first_pause() -> None:
    pace = _taken()
    pace.note(works=True, took=0.6 * WAIT)
    assert (pace.pause, pace.wait) == (TIMING.poll_first, WAIT)


def test_where_waiting_questions_are_cut_at_once_they_are_given_up() -> None:
    asked = _followed(_taken(), lambda wait: (not wait, 0.0), 40)
    assert sum(waiting for _, waiting in asked) == MOST_CUTS
    pauses = [later[0] - sooner[0] for sooner, later in pairwise(asked)]
    assert set(pauses[-10:]) == {TIMING.poll_max}


def test_where_they_are_cut_late_they_go_on() -> None:
    asked = _followed(_taken(), lambda wait: (not wait, 4.0 if wait else 0.0), 41)
    assert [waiting for _, waiting in asked] == [True, False] * 20 + [True]
    assert asked[-1][0] == 20 * (4.0 + TIMING.poll_first)


answers = st.lists(st.tuples(st.booleans(), st.floats(0, 1)), min_size=60, max_size=120)


@given(answers)
def test_whatever_comes_there_is_no_hot_loop(steps: list[tuple[bool, float]]) -> None:
    """Of three questions in a row one was kept waiting for long or followed by a pause."""
    pace, rests = Pace(TIMING), []
    for works, share in steps:
        took = share * (pace.wait or 0.01)
        pace.note(works=works, took=took)
        rests.append(took + pace.pause)
    for neighbours in zip(rests, rests[1:], rests[2:], strict=False):
        assert sum(neighbours) >= TIMING.poll_first


@given(answers)
def test_no_pause_is_longer_than_the_longest(steps: list[tuple[bool, float]]) -> None:
    pace = Pace(TIMING)
    for works, took in steps:
        pace.note(works=works, took=took)
        assert 0 <= pace.pause <= TIMING.poll_max
        assert pace.wait in (0.0, WAIT)


def test_the_pauses_grow_and_then_stay() -> None:
    assert list(islice(TIMING.polls(), 5)) == [0.5, 1.0, 2.0, 2.0, 2.0]
