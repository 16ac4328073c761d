"""Circuit breakers on a clock of the test's."""

from __future__ import annotations

import pytest

from hydracore_agent.chat.breaker import OPEN_SECONDS, OPENS_AFTER, Breaker, Breakers
from tests.agent.support.clock import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def breaker(clock: FakeClock) -> Breaker:
    return Breaker(clock.monotonic)


def broken(breaker: Breaker) -> Breaker:
    for _ in range(OPENS_AFTER):
        assert breaker.admits()
        breaker.failed("status 503")
    return breaker


def test_it_opens_after_failures_in_a_row_only(breaker: Breaker) -> None:
    for _ in range(OPENS_AFTER - 1):
        breaker.failed("status 503")
    breaker.succeeded()
    breaker.failed("status 503")
    assert (breaker.state, breaker.admits()) == ("closed", True)
    breaker.succeeded()
    assert broken(breaker).state == "open"
    assert not breaker.admits()


def test_after_a_while_one_call_may_try(breaker: Breaker, clock: FakeClock) -> None:
    broken(breaker)
    clock.advance(OPEN_SECONDS - 0.1)
    assert not breaker.admits()
    clock.advance(0.1)
    assert (breaker.state, breaker.admits(), breaker.admits()) == ("half-open", True, False)
    breaker.succeeded()
    assert (breaker.state, breaker.admits()) == ("closed", True)


def test_a_failed_try_opens_it_anew(breaker: Breaker, clock: FakeClock) -> None:
    broken(breaker)
    clock.advance(OPEN_SECONDS)
    assert breaker.admits()
    breaker.failed("ConnectError")
    assert breaker.state == "open"
    clock.advance(OPEN_SECONDS)
    assert breaker.admits()


def test_a_try_that_says_nothing_leaves_room_for_the_next(
    breaker: Breaker, clock: FakeClock
) -> None:
    broken(breaker)
    clock.advance(OPEN_SECONDS)
    assert breaker.admits()
    breaker.gave_up()
    assert (breaker.state, breaker.admits()) == ("half-open", True)


def test_clearing_lets_the_next_call_through(clock: FakeClock) -> None:
    breakers = Breakers(["one", "two"], clock.monotonic)
    broken(breakers.of("one"))
    assert breakers.check().status == "degraded"
    assert breakers.check().message == "one: open, 3 failures (status 503); two: closed"
    assert breakers.clear() == ["one"]
    assert breakers.of("one").admits()
    assert breakers.check().status == "healthy"
    assert breakers.clear() == []
