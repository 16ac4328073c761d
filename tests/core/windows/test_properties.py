"""The search against looking at every minute, around every change of the clocks that there is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from hydracore_core.windows import window_state
from hydracore_crds import UpdatePolicy
from tests.core.windows import oracle
from tests.core.windows.policies import allow, deny, policy

CHANGES = {
    "Europe/Berlin": ("2026-03-29 01:00", "2026-10-25 01:00"),
    "America/New_York": ("2026-03-08 07:00", "2026-11-01 06:00"),
    # Half an hour only.
    "Australia/Lord_Howe": ("2026-04-04 15:00", "2026-10-03 15:30"),
    # None at all, and half an hour off.
    "Asia/Kolkata": ("2026-06-01 00:00",),
    # At midnight, so that a day lacks its first hour.
    "America/Sao_Paulo": ("2018-02-18 02:00", "2018-11-04 03:00"),
    # A whole day is left out.
    "Pacific/Apia": ("2011-12-30 10:00",),
    "Etc/UTC": ("2028-02-29 00:00",),
}
ZONES = sorted(CHANGES)
LOOKED_AT = timedelta(days=2)


def fields(low: int, high: int) -> st.SearchStrategy[str]:
    one = st.integers(low, high)
    several = st.lists(one, min_size=1, max_size=3).map(lambda n: ",".join(map(str, n)))
    pair = st.tuples(one, one).map(sorted)
    step = st.tuples(pair, st.integers(1, 7)).map(lambda p: f"{p[0][0]}-{p[0][1]}/{p[1]}")
    return st.one_of(several, step)


SCHEDULES = st.builds(
    lambda *parts: " ".join(parts),
    st.one_of(fields(0, 59), st.sampled_from(["0", "30", "*/20", "*"])),
    st.one_of(fields(0, 4), fields(0, 23), st.sampled_from(["*", "*/2", "*/12"])),
    st.one_of(st.just("*"), fields(1, 31), st.just("*/2")),
    st.just("*"),
    st.one_of(st.just("*"), fields(0, 7), st.sampled_from(["MON-FRI", "SAT,SUN"])),
)
DURATIONS = st.one_of(
    st.integers(1, 59).map(lambda n: f"{n}m"),
    st.integers(1, 50).map(lambda n: f"{n}h"),
)


@st.composite
def cases(draw: st.DrawFn) -> tuple[UpdatePolicy, datetime]:
    """Draw a policy, and a moment near a change of the clocks of one of its zones."""
    zone = draw(st.sampled_from(ZONES))
    found = []
    for _ in range(draw(st.integers(1, 3))):
        make = draw(st.sampled_from([allow, allow, deny]))
        where = draw(st.sampled_from([zone, zone, zone, *ZONES]))
        found.append(make(draw(SCHEDULES), draw(DURATIONS), where))
    hours = draw(st.one_of(st.none(), st.tuples(st.integers(0, 23), st.integers(0, 23))))
    change = datetime.fromisoformat(draw(st.sampled_from(CHANGES[zone]))).replace(tzinfo=UTC)
    now = change + timedelta(minutes=draw(st.integers(-26 * 60, 26 * 60)))
    return policy(*found, hours=hours), now


@given(case=cases())
@settings(
    max_examples=100, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
@example((policy(allow("30 2 * * *", "1h", "Europe/Berlin")), datetime(2026, 3, 29, 0, tzinfo=UTC)))
@example(
    (policy(deny("0 */12 * * *", "11h", "America/Sao_Paulo")), datetime(2018, 11, 4, 2, tzinfo=UTC))
)
def test_state_and_next_change_are_those_that_every_minute_shows(
    case: tuple[UpdatePolicy, datetime],
) -> None:
    made, now = case
    looked = oracle.may_start(made, now, now + LOOKED_AT)
    change = next((n for n, is_open in enumerate(looked) if is_open != looked[0]), None)
    found = window_state(made, now)
    assert found.open == looked[0]
    if change is not None:
        assert found.next_change == now + timedelta(minutes=change)
    else:
        assert found.next_change is None or found.next_change >= now + LOOKED_AT


@given(case=cases(), steps=st.lists(st.integers(0, 40 * 3600), max_size=12))
@settings(
    max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
def test_what_was_asked_before_changes_no_answer(
    case: tuple[UpdatePolicy, datetime], steps: list[int]
) -> None:
    made, now = case
    for step in steps:
        at = now + timedelta(seconds=step)
        minute = at.replace(second=0)
        (looked,) = oracle.may_start(made, minute, minute + timedelta(minutes=1))
        assert window_state(made, at).open == looked


@given(case=cases(), jitter=st.integers(1, 3600), uid=st.text(max_size=8))
@settings(
    max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
def test_jitter_begins_late_but_never_ends_late_and_leaves_half(
    case: tuple[UpdatePolicy, datetime], jitter: int, uid: str
) -> None:
    plain, now = case
    spec = plain.spec.model_copy(update={"opening_jitter_seconds": jitter})
    metadata = plain.metadata.model_copy(update={"uid": uid})
    shared = plain.model_copy(update={"spec": spec, "metadata": metadata})
    at = now
    for _ in range(6):
        state, without = window_state(shared, at), window_state(plain, at)
        assert without.open or not state.open
        if without.open and not state.open:
            begins, end = state.next_change, without.next_change
            assert begins is not None
            assert begins - at <= timedelta(seconds=jitter)
            assert end is None or begins < end
        elif without.open:
            assert state.next_change == without.next_change
        if state.next_change is None:
            return
        assert window_state(shared, state.next_change).open != state.open
        before = state.next_change - timedelta(seconds=1)
        assert before < at or window_state(shared, before).open == state.open
        at = state.next_change
