"""The slot time that orders take is their count over time, until the last one arrives."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from tests.simulation.oracle import Oracle, Task

START = datetime(2030, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Span:
    """When one order began and ended, in seconds."""

    begun: float
    ended: float


def _at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def _play(orders: list[Span], oracle: Oracle | None = None) -> Oracle:
    """Let agents begin and end orders at their times."""
    oracle = oracle or Oracle()
    events = []
    for number, one in enumerate(orders):
        task = Task(f"t{number}", "", "", 1, 0.0, "downloading", started_at=_at(one.begun))
        events += [(one.ended, oracle.end, task), (one.begun, oracle.begin, task)]
    for at, act, task in sorted(events, key=lambda event: event[0]):
        if act == oracle.end:
            task.state, task.finished_at = "activated", _at(at)
        act("i", task)
    return oracle


def test_slots_that_are_filled_again_at_once_are_busy_all_the_time() -> None:
    slots = _play([Span(0, 5), Span(0, 5), Span(5, 10), Span(5, 10)]).slots
    assert (slots.busy_seconds, slots.span_seconds) == (10, 5)


def test_a_pause_between_two_orders_is_not_busy() -> None:
    slots = _play([Span(0, 5), Span(6, 11), Span(12, 17)]).slots
    assert (slots.busy_seconds, slots.span_seconds) == (10, 12)


def test_nothing_counts_before_the_first_order_nor_after_the_last_one_has_come() -> None:
    slots = _play([Span(100, 103), Span(101, 140)]).slots
    assert (slots.busy_seconds, slots.span_seconds) == (1, 1)


def test_a_single_order_spans_nothing() -> None:
    slots = _play([Span(3, 8)]).slots
    assert (slots.busy_seconds, slots.span_seconds) == (0, 0)


def test_after_forgetting_the_next_order_is_the_first() -> None:
    oracle = _play([Span(0, 5), Span(1, 6)])
    oracle.forget()
    assert (oracle.slots.busy_seconds, oracle.slots.span_seconds) == (0, 0)
    _play([Span(60, 65), Span(62, 67)], oracle)
    assert (oracle.slots.busy_seconds, oracle.slots.span_seconds) == (2, 2)


def test_an_order_that_ends_after_forgetting_opens_no_span() -> None:
    oracle = Oracle()
    task = Task("old", "", "", 1, 0.0, "downloading", started_at=_at(0))
    oracle.begin("i", task)
    oracle.forget()
    task.state, task.finished_at = "activated", _at(50)
    oracle.end("i", task)
    _play([Span(60, 65), Span(61, 66)], oracle)
    assert (oracle.slots.busy_seconds, oracle.slots.span_seconds) == (1, 1)


@pytest.mark.parametrize("seed", range(20))
def test_it_is_the_sum_of_what_each_order_took_within_the_span(seed: int) -> None:
    chance = random.Random(seed)
    begins = [chance.uniform(0, 30) for _ in range(200)]
    orders = [Span(begun, begun + chance.uniform(0.01, 8)) for begun in begins]
    slots, last = _play(orders).slots, max(begins)
    within = sum(min(one.ended, last) - one.begun for one in orders)
    assert slots.busy_seconds == pytest.approx(within, abs=0.001)
    assert slots.span_seconds == pytest.approx(last - min(begins), abs=0.001)
