"""Allow and deny windows together, and what fails closed."""

from __future__ import annotations

import time
from datetime import datetime, timedelta

import pytest

from hydracore_core.windows import ALWAYS_OPEN, problems, window_state
from hydracore_crds import UpdatePolicy
from hydracore_crds.policy_window import PolicyWindow
from tests.core.windows.policies import BERLIN, allow, deny, policy, utc

NIGHTS = allow("0 22 * * *", "6h", BERLIN, "nights")
YEAR_END = deny("0 0 20 12 *", "168h", BERLIN, "year end")


def state(made: UpdatePolicy, now: str) -> tuple[bool, datetime | None]:
    found = window_state(made, utc(now))
    return found.open, found.next_change


def why(made: UpdatePolicy, now: str) -> str:
    return window_state(made, utc(now)).why


def test_without_any_window_updates_may_always_start() -> None:
    assert window_state(None, utc("2026-06-01 12:00")) == ALWAYS_OPEN
    assert window_state(policy(), utc("2026-06-01 12:00")) == ALWAYS_OPEN


def test_one_allow_window_must_be_open() -> None:
    made = policy(NIGHTS, allow("0 12 * * SAT", "2h", BERLIN, "Saturday noon"))
    assert state(made, "2026-06-05 19:59") == (False, utc("2026-06-05 20:00"))
    assert state(made, "2026-06-05 20:00") == (True, utc("2026-06-06 02:00"))
    assert state(made, "2026-06-06 02:00") == (False, utc("2026-06-06 10:00"))
    assert state(made, "2026-06-06 11:59") == (True, utc("2026-06-06 12:00"))


def test_the_two_hours_are_one_more_allow_window() -> None:
    made = policy(NIGHTS, hours=(12, 13))
    assert state(made, "2026-06-05 12:30") == (True, utc("2026-06-05 13:00"))
    assert state(made, "2026-06-05 13:00") == (False, utc("2026-06-05 20:00"))


def test_an_open_deny_window_always_wins() -> None:
    made = policy(YEAR_END, NIGHTS)
    assert state(made, "2026-12-19 22:00") == (True, utc("2026-12-19 23:00"))
    assert state(made, "2026-12-19 23:00") == (False, utc("2026-12-26 23:00"))
    assert state(made, "2026-12-26 23:00") == (True, utc("2026-12-27 03:00"))


def test_with_deny_windows_only_updates_may_start_between_them() -> None:
    made = policy(YEAR_END)
    assert state(made, "2026-06-01 12:00") == (True, utc("2026-12-19 23:00"))
    assert state(made, "2026-12-24 12:00") == (False, utc("2026-12-26 23:00"))


def test_windows_that_touch_or_overlap_are_one() -> None:
    made = policy(allow("0 20 * * *", "2h"), allow("0 22 * * *", "2h"), allow("30 23 * * *", "1h"))
    assert state(made, "2026-06-01 20:30") == (True, utc("2026-06-02 00:30"))


def test_a_window_may_last_longer_than_its_schedule_takes_to_come_round() -> None:
    made = policy(allow("0 0 * * MON-FRI", "30h"))
    assert state(made, "2026-06-01 00:00") == (True, utc("2026-06-06 06:00"))


def test_24_hours_every_day_leave_the_hour_that_a_long_day_has_more() -> None:
    made = policy(allow("0 0 * * *", "24h", BERLIN))
    assert state(made, "2026-06-01 00:00") == (True, utc("2026-10-25 22:00"))
    assert state(made, "2026-10-25 22:30") == (False, utc("2026-10-25 23:00"))


def test_leap_days_are_found() -> None:
    made = policy(allow("0 0 29 2 *", "1h"))
    assert state(made, "2028-02-29 01:00") == (False, utc("2032-02-29 00:00"))
    assert state(made, "2096-02-29 01:00") == (False, utc("2104-02-29 00:00"))


def test_what_never_opens_says_so() -> None:
    made = policy(allow("0 0 29 2 *", "1h"), deny("0 0 * 2 *", "24h"))
    found = window_state(made, utc("2026-06-01 12:00"))
    assert (found.open, found.next_change, found.wake_at) == (False, None, None)
    assert found.why == "the maintenance window never opens"


def test_a_search_that_runs_out_says_when_to_ask_again() -> None:
    made = policy(allow("*/2 * * * *", "1m", name="even"), deny("*/2 * * * *", "1m", name="odd"))
    now = utc("2026-06-01 12:01")
    found = window_state(made, now)
    assert (found.open, found.next_change) == (False, None)
    assert found.wake_at is not None
    assert found.wake_at > now + timedelta(hours=12)
    assert found.why.startswith("the maintenance window does not open before 2026-06-0")
    dense = window_state(policy(allow("* * * * *", "1m")), now)
    assert (dense.open, dense.next_change) == (True, None)
    assert dense.wake_at is not None


@pytest.mark.parametrize(
    ("broken", "field", "text"),
    [
        (("0 0 31 2 *", "1h", "Etc/UTC"), "schedule", "a day that its months have"),
        (("0 0 * *", "1h", "Etc/UTC"), "schedule", "write the five fields of cron"),
        (("0 0 * * *", "1h", "Europe/Atlantis"), "time_zone", "'Europe/Atlantis' is not known"),
        (("0 0 * * *", "soon", "Etc/UTC"), "duration", "'soon': is not a duration"),
        (("0 0 * * *", "169h", "Etc/UTC"), "duration", "one minute ('1m') to seven days ('168h')"),
        (("0 0 * * *", "0m", "Etc/UTC"), "duration", "one minute ('1m') to seven days ('168h')"),
    ],
)
def test_what_cannot_be_evaluated_fails_closed(
    broken: tuple[str, str, str], field: str, text: str
) -> None:
    allowing, denying = allow(*broken, "x"), deny(*broken, "x")
    (problem,) = problems([NIGHTS, denying])
    assert (problem.index, problem.field) == (1, field)
    assert text in problem.text
    for made in (policy(allowing), policy(NIGHTS, denying), policy(denying)):
        found = window_state(made, utc("2026-06-01 23:00"))
        assert (found.open, found.next_change, found.wake_at) == (False, None, None)
        assert "cannot be evaluated" in found.why
    # Another window that allows is not harmed.
    assert state(policy(allowing, NIGHTS), "2026-06-01 23:00") == (True, utc("2026-06-02 02:00"))


def test_good_windows_have_no_problems() -> None:
    assert problems([NIGHTS, YEAR_END]) == []


@pytest.mark.parametrize(
    ("windows", "now", "text"),
    [
        (
            [NIGHTS],
            "2026-06-01 12:00",
            "the maintenance window opens at 2026-06-01 20:00Z (allow window 'nights')",
        ),
        (
            [NIGHTS],
            "2026-06-01 21:00",
            "updates may start until 2026-06-02 02:00Z (allow window 'nights')",
        ),
        (
            [NIGHTS, YEAR_END],
            "2026-12-19 22:00",
            (
                "updates may start until 2026-12-19 23:00Z, when deny window 'year end' begins "
                "(allow window 'nights')"
            ),
        ),
        (
            [NIGHTS, YEAR_END],
            "2026-12-24 12:00",
            "blocked by deny window 'year end' until 2026-12-26 23:00Z",
        ),
        (
            [allow("0 9 * * *", "1h"), YEAR_END],
            "2026-12-24 12:00",
            (
                "blocked by deny window 'year end' until 2026-12-26 23:00Z; the maintenance window "
                "opens at 2026-12-27 09:00Z (allow window 1 (0 9 * * *))"
            ),
        ),
        (
            [allow("0 0 31 2 *", "1h", name="x")],
            "2026-06-01 12:00",
            (
                "the maintenance window never opens: allow window 'x' cannot be evaluated, and the "
                "condition Valid of the UpdatePolicy says what to do"
            ),
        ),
        (
            [YEAR_END],
            "2026-06-01 12:00",
            "updates may start until 2026-12-19 23:00Z, when deny window 'year end' begins",
        ),
    ],
)
def test_people_are_told_which_window_it_is(
    windows: list[PolicyWindow], now: str, text: str
) -> None:
    assert why(policy(*windows), now) == text


def test_however_many_windows_there_are_the_text_stays_short() -> None:
    made = policy(*[allow("0 22 * * *", "6h", BERLIN, f"{n:063d}") for n in range(16)])
    text = why(made, "2026-06-01 12:00")
    assert text.endswith(" and 13 more)")
    assert len(text) < 400


def test_what_is_told_is_told_anew_when_a_deny_window_has_ended() -> None:
    made = policy(allow("0 9 * * *", "1h", name="mornings"), YEAR_END)
    blocked = window_state(made, utc("2026-12-24 12:00"))
    assert blocked.wake_at == utc("2026-12-26 23:00")
    assert blocked.next_change == utc("2026-12-27 09:00")
    assert "blocked" not in why(made, "2026-12-26 23:00")


def test_ten_thousand_questions_take_well_under_a_second() -> None:
    made = policy(*[NIGHTS, YEAR_END] * 8, jitter=600)
    began, now = time.process_time(), utc("2026-12-19 12:00")
    for second in range(10_000):
        window_state(made, now + timedelta(seconds=5 * second))
    assert time.process_time() - began < 1
