"""Beliefs about health: when they change, when they do not, and that they cannot change often."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hydracore_core import health
from hydracore_core.health import LEVELS, Belief, Level, Limits, observe, remembered, spend

LIMITS = Limits()


def play(outcomes: list[Level], belief: Belief | None = None, every: float = 10) -> list[Belief]:
    seen, belief = [], belief or Belief()
    for number, outcome in enumerate(outcomes):
        belief = observe(belief, outcome, belief.at + (every if number else 0), LIMITS)
        seen.append(belief)
    return seen


def shown(outcomes: str, belief: Belief | None = None, every: float = 10) -> str:
    names: dict[str, Level] = {
        "h": "healthy",
        "d": "degraded",
        "u": "unhealthy",
        "x": "unreachable",
    }
    letters = {level: letter for letter, level in names.items()} | {None: "?"}
    return "".join(letters[b.shown] for b in play([names[o] for o in outcomes], belief, every))


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        ("h", "h"),
        ("xx", "??"),
        ("xxxx", "??xx"),
        ("xxh", "??h"),
        ("uu", "?u"),
        ("hxxhxxh", "hhhhhhh"),
        ("hxxxx", "hhhxx"),
        ("huuhh", "hhuuh"),
        ("hxxxhxhh", "hhhxxxxh"),
        ("hdhd", "hdhd"),
        ("hxxxdd", "hhhxxd"),
        ("huxuxux", "hhhhhhh"),
        ("huxxxuu", "hhhhxxu"),
    ],
)
def test_bad_news_and_good_news_after_it_need_their_number(outcomes: str, expected: str) -> None:
    assert shown(outcomes) == expected


def test_what_differs_is_not_settled_until_it_counts() -> None:
    settled = [b.settled for b in play(["healthy", "unreachable", "unreachable", "unreachable"])]
    assert settled == [True, False, False, True]


def test_two_outages_are_told_the_third_in_a_row_is_flapping() -> None:
    outage: list[Level] = ["healthy", "healthy", "unreachable", "unreachable", "unreachable"]
    well: list[Level] = ["healthy"]
    beliefs = play(outage * 3 + well * 200)
    flapping = [b.flapping for b in beliefs]
    assert not any(flapping[:10])
    first = flapping.index(True)
    assert beliefs[first].shown == "unreachable"
    last = len(flapping) - 1 - flapping[::-1].index(True)
    held = (last - first) * 10
    assert {b.shown for b in beliefs[first : last + 1]} == {"unreachable"}
    assert 300 < held < 2 * 300 + 60
    assert beliefs[-1].shown == "healthy"
    assert not beliefs[-1].flapping


def test_an_agent_that_answers_every_other_time_is_flapping_though_never_out_for_long() -> None:
    beliefs = play(["healthy", "unreachable"] * 60)
    assert beliefs[-1].flapping
    assert [b.shown for b in beliefs] == ["degraded" if b.flapping else "healthy" for b in beliefs]


def test_while_flapping_it_only_gets_worse() -> None:
    flapping = remembered("unhealthy", 0, flapping=True)
    assert shown("uhhhhxxxhh", flapping) == "uuuuuuuxxx"


def test_a_new_process_goes_on_with_what_was_shown() -> None:
    assert shown("xh", remembered("healthy", 0, flapping=False)) == "hh"
    assert shown("hh", remembered("unreachable", 0, flapping=False)) == "xh"
    assert observe(remembered("unreachable", 0, flapping=True), "healthy", 1, LIMITS).flapping


def test_news_about_the_runtime_have_a_budget() -> None:
    belief, told = Belief(), 0
    for second in range(200):
        belief, allowed = spend(belief, float(second), LIMITS)
        told += allowed
    assert told == LIMITS.runtime_burst + 200 // int(LIMITS.runtime_seconds)
    belief, allowed = spend(belief, 1e6, LIMITS)
    assert allowed
    assert belief.budget == LIMITS.runtime_burst - 1


outcomes = st.lists(st.tuples(st.sampled_from(LEVELS), st.floats(0.1, 30)), max_size=400)


@given(outcomes)
def test_whatever_happens_what_is_shown_changes_at_a_bounded_rate(
    polls: list[tuple[Level, float]],
) -> None:
    """The bound in the module's words: quiet changes pay penalties, flapping ones cost nothing.

    Not flapping, each change adds at least 1 to a penalty below 6 that decays by at most
    6 * ln 2 / half-life a second. An episode of flapping lasts at least log2(6 / 2) half-lives
    and shows at most 3 steps to the worse and one change at its end.
    """
    belief, changes, seconds = Belief(), 0, 0.0
    for outcome, pause in polls:
        seconds += pause
        before = belief
        belief = observe(belief, outcome, seconds, LIMITS)
        changes += belief.shown != before.shown or belief.flapping != before.flapping
        assert belief.penalty <= health.MOST_PENALTY
        if belief.flapping and before.flapping and before.shown is not None:
            assert LEVELS.index(belief.shown or "healthy") >= LEVELS.index(before.shown)
        if not belief.flapping:
            assert belief.shown == belief.steady
    episodes = 1 + seconds / (LIMITS.half_life * math.log2(3))
    quiet = 1 + health.SUPPRESS_ABOVE * (1 + seconds * math.log(2) / LIMITS.half_life)
    assert changes <= quiet + 5 * episodes


@given(outcomes, st.integers(3, 20))
def test_when_it_is_quiet_the_truth_is_shown_in_the_end(
    polls: list[tuple[Level, float]], half_lives: int
) -> None:
    belief, seconds = Belief(), 0.0
    for outcome, pause in polls:
        seconds += pause
        belief = observe(belief, outcome, seconds, LIMITS)
    for _ in range(5):
        seconds += half_lives * LIMITS.half_life / 4
        belief = observe(belief, "degraded", seconds, LIMITS)
    assert (belief.shown, belief.flapping) == ("degraded", False)
