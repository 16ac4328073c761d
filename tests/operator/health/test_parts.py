"""The loop's parts: schedule, gauge, examinations, and the recorder with a scripted SQL."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic.alias_generators import to_camel

from hydracore_agent import status as agent_status
from hydracore_agentclient import AgentStatus
from hydracore_history import DeepHealthReport, HistoryUnavailable, PollRecord
from hydracore_operator.clock import SystemClock
from hydracore_operator.health import recorder as recording
from hydracore_operator.health.examinations import Examinations
from hydracore_operator.health.gauge import Gauge
from hydracore_operator.health.recorder import FLUSH_ROWS, REPEAT_SECONDS, Recorder
from hydracore_operator.health.schedule import Schedule
from hydracore_operator.health.verdicts import Seen
from tests.operator.fakes import FakeClock

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
QUIET = Seen(None, changed=False, settled=True)


# ---- schedule -----------------------------------------------------------------------------------
@given(
    st.lists(
        st.tuples(st.sampled_from("abcde"), st.one_of(st.none(), st.integers(0, 20))), max_size=300
    )
)
def test_a_schedule_gives_each_key_once_at_its_last_time(
    steps: list[tuple[str, int | None]],
) -> None:
    schedule, model = Schedule(), dict[str, float]()
    for key, at in steps:
        if at is None:
            schedule.drop(key)
            model.pop(key, None)
        else:
            schedule.plan(key, at)
            model[key] = at
        assert schedule.next_at() == min(model.values(), default=None)
        assert len(schedule._heap) <= 2 * len(model) + 65
    assert schedule.overdue(10) == sum(1 for at in model.values() if at <= 10)
    got = []
    while (due := schedule.pop(10)) is not None:
        got.append(due)
    assert sorted(got) == sorted((k, at) for k, at in model.items() if at <= 10)
    assert [at for _, at in got] == sorted(at for _, at in got)


# ---- gauge --------------------------------------------------------------------------------------
def test_a_gauge_counts_the_last_minute() -> None:
    gauge = Gauge(10.0, 0.0)
    for second in range(100):
        for _ in range(5):
            gauge.polled(float(second), 0.01, 0.02)
    gauge.polled(99.0, 0.5, None)
    figures = gauge.figures(99.0)
    assert 4.9 < figures["pollsPerSecond"] < 5.2
    assert (figures["polls"], figures["failures"], figures["failuresLastMinute"]) == (501, 1, 1)
    assert figures["latencyMs"] == {"p50": 20.0, "p99": 20.0}
    assert (figures["lagSeconds"], figures["saturated"]) == (0.5, False)
    gauge.polled(99.0, 1.5, 0.02)
    assert gauge.saturated(99.0)
    assert not gauge.saturated(200.0)
    assert gauge.rate(200.0) == 0


# ---- examinations -------------------------------------------------------------------------------
def test_examinations_come_now_and_then_and_sooner_when_something_is_wrong() -> None:
    examinations = Examinations(100.0, random.Random(1))
    well = [t for t in range(1000) if examinations.due("i", QUIET, t, well=True)]
    assert 9 <= len(well) <= 11
    gaps = [b - a for a, b in itertools.pairwise(well)]
    assert all(89 <= gap <= 111 for gap in gaps)
    ill = [t for t in range(1000, 1100) if examinations.due("i", QUIET, t, well=False)]
    assert all(b - a == 10 for a, b in itertools.pairwise(ill))
    assert len(ill) >= 9
    changed = Seen(None, changed=True, settled=True)
    assert not examinations.due("i", changed, ill[-1] + 5, well=True)
    assert examinations.due("i", changed, ill[-1] + 10, well=True)


# ---- recorder -----------------------------------------------------------------------------------
class Sql:
    """Remembers batches, or is away."""

    def __init__(self) -> None:
        self.batches: list[list[PollRecord]] = []
        self.deep: list[DeepHealthReport] = []
        self.away = False
        self.fault: Exception | None = None
        self.meanwhile: Any = None

    async def polls(
        self, records: Sequence[PollRecord], deep: Sequence[DeepHealthReport] = ()
    ) -> None:
        if self.meanwhile is not None:
            self.meanwhile()
        if self.away:
            raise HistoryUnavailable("away")
        if self.fault is not None:
            raise self.fault
        self.batches.append(list(records))
        self.deep += deep


def recorder() -> tuple[Recorder, Sql]:
    sql = Sql()
    return Recorder(cast("Any", sql), SystemClock()), sql


def good(instance_id: str = "i") -> AgentStatus:
    return AgentStatus(instance_id=instance_id, healthy=True, health_status="healthy")


async def test_the_last_of_each_instance_is_stored_with_all_failures_counted() -> None:
    made, sql = recorder()
    made.failed("a", NOON, "one")
    made.failed("a", NOON, "two")
    made.answered("b", NOON, good("b"), 0.0123)
    made.failed("b", NOON, "three")
    made.failed("c", NOON, "four")
    made.answered("c", NOON, good("c"), 0.5)
    await made.flush()
    (batch,) = sql.batches
    told = {r.instance_id: (r.failures, r.answered, r.error, r.latency_ms) for r in batch}
    assert told == {
        "a": (2, False, "two", None),
        "b": (1, True, "three", 12.3),
        "c": (0, True, None, 500.0),
    }
    assert {r.instance_id: r.status is not None for r in batch} == {
        "a": False,
        "b": True,
        "c": True,
    }
    await made.flush()
    assert len(sql.batches) == 1


async def test_many_are_stored_in_batches() -> None:
    made, sql = recorder()
    for number in range(2 * FLUSH_ROWS + 1):
        made.answered(f"i{number}", NOON, good(), 0.01)
    await made.flush()
    assert [len(batch) for batch in sql.batches] == [FLUSH_ROWS, FLUSH_ROWS, 1]


async def test_while_sql_is_away_the_latest_of_each_waits_and_nothing_grows() -> None:
    made, sql = recorder()
    sql.away = True
    for _ in range(50):
        made.failed("a", NOON, "gone")
        made.answered("b", NOON, good("b"), 0.01)
        made.examined(DeepHealthReport("b", NOON, {}, None))
        await made.flush()
    assert made.away
    assert len(made) == 3
    sql.away = False
    await made.flush()
    (batch,) = sql.batches
    assert {r.instance_id: r.failures for r in batch} == {"a": 50, "b": 0}
    assert len(sql.deep) == 1
    assert not made.away


async def test_what_is_forgotten_while_it_is_being_stored_does_not_wait_again() -> None:
    made, sql = recorder()
    sql.away = True
    sql.meanwhile = lambda: made.forget("a")
    made.failed("a", NOON, "gone")
    made.failed("b", NOON, "gone")
    await made.flush()
    assert set(made._waiting) == {"b"}


async def test_a_batch_that_cannot_be_stored_at_all_does_not_block_the_next() -> None:
    made, sql = recorder()
    sql.fault = ValueError("unstorable")
    made.failed("a", NOON, "gone")
    await made.flush()
    sql.fault = None
    made.failed("b", NOON, "gone")
    await made.flush()
    assert [[r.instance_id for r in batch] for batch in sql.batches] == [["b"]]


async def test_a_status_is_stored_again_only_where_it_says_something_new() -> None:
    made, sql = recorder()
    for uptime, pid in ((1.0, 7), (61.0, 7), (2.0, 8)):
        made.answered(
            "a", NOON, good("a").model_copy(update={"uptime_seconds": uptime, "pid": pid}), 0.01
        )
        await made.flush()
    said = [batch[0].status for batch in sql.batches]
    assert [status and status["pid"] for status in said] == [7, None, 8]
    assert all("uptimeSeconds" not in status for status in said if status is not None)
    assert all(batch[0].answered for batch in sql.batches)


def test_agents_hold_to_be_no_news_just_what_is_not_stored() -> None:
    """Else SQL would miss news, or agents would tell again what nobody keeps."""
    fields = AgentStatus.model_fields
    aliases = {fields[name].serialization_alias or to_camel(name) for name in recording.TICKING}
    assert aliases == set(agent_status.TICKING)


@pytest.mark.parametrize("same", [True, False])
async def test_a_status_is_stored_again_after_a_while_whatever_became_of_its_row(
    *, same: bool
) -> None:
    sql, clock, first = Sql(), FakeClock(), good("a")
    made = Recorder(cast("Any", sql), clock)
    for pause in (0, REPEAT_SECONDS - 1, 2):
        clock.elapsed += pause
        made.answered("a", NOON, first if same else good("a"), 0.01)
        await made.flush()
    assert [batch[0].status is not None for batch in sql.batches] == [True, False, True]


async def test_a_status_that_could_not_be_stored_is_news_again() -> None:
    made, sql = recorder()
    for fault in (HistoryUnavailable("away"), ValueError("unstorable")):
        sql.fault = fault
        made.answered("a", NOON, good("a"), 0.01)
        await made.flush()
    sql.fault = None
    made.answered("a", NOON, good("a"), 0.01)
    await made.flush()
    ((record,),) = sql.batches
    assert record.status is not None
