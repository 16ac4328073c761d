from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hydracore_core.platform.shares import platform_limit, shares
from tests.core.rollouts.builders import platform

names = st.text("abcdefgh", min_size=1, max_size=3)
demands = st.dictionaries(names, st.integers(0, 12), max_size=9)


def divide(cap: int, **wants: int) -> dict[str, int]:
    return shares(wants, cap, list(wants))


def test_without_a_policy_or_a_limit_there_is_no_cap() -> None:
    assert platform_limit(None) is None
    assert platform_limit(platform()) is None
    assert platform_limit(platform(limit=7)) == 7


def test_small_wishes_are_met_and_the_rest_is_divided_evenly() -> None:
    assert divide(10, a=2, b=9, c=9) == {"a": 2, "b": 4, "c": 4}
    assert divide(10, a=1, b=2, c=3) == {"a": 1, "b": 2, "c": 3}


def test_what_is_left_over_goes_to_the_first_who_want_more() -> None:
    assert divide(8, a=9, b=1, c=9, d=9) == {"a": 3, "b": 1, "c": 2, "d": 2}
    assert divide(1, a=0, b=9, c=9) == {"a": 0, "b": 1, "c": 0}


@given(wants=demands, cap=st.integers(0, 40), seed=st.randoms())
def test_shares_are_max_min_fair(wants: dict[str, int], cap: int, seed: object) -> None:
    order = list(wants)
    seed.shuffle(order)  # type: ignore[attr-defined]
    found = shares(wants, cap, order)
    assert found.keys() == wants.keys()
    assert sum(found.values()) == min(cap, sum(wants.values()))
    assert all(0 <= found[name] <= wants[name] for name in wants)
    short = [name for name in wants if found[name] < wants[name]]
    most = max(found.values(), default=0)
    # Whoever is short has at most one slot less than anybody, and comes later in the order.
    for name in short:
        assert found[name] >= most - 1
        ahead = [other for other in wants if found[other] > found[name]]
        assert all(order.index(other) < order.index(name) for other in ahead if other in short)


@given(wants=demands, cap=st.integers(0, 40))
def test_a_slot_more_takes_nothing_from_anybody(wants: dict[str, int], cap: int) -> None:
    less, more = (shares(wants, slots, list(wants)) for slots in (cap, cap + 1))
    assert all(less[name] <= more[name] for name in wants)
