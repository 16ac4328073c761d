"""What the demo reads from the agents' ledgers."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from hydracore_cli.demo.ledger import Flight, flights_of, most_at_once, parse_ledger

START = datetime(2026, 1, 1, tzinfo=UTC)


def flight(began: float, ended: float | None) -> Flight:
    return Flight(
        agent="a",
        task_id=str(began),
        sha256="0" * 64,
        started_at=START + timedelta(seconds=began),
        ended_at=None if ended is None else START + timedelta(seconds=ended),
        outcome=None,
        message="",
    )


@pytest.mark.parametrize(
    ("flights", "most"),
    [
        ([], 0),
        ([(0, 1)], 1),
        ([(0, 1), (1, 2)], 1),
        ([(0, 2), (1, 3), (2, 4)], 2),
        ([(0, 9), (1, 2), (3, 4), (3.5, 5)], 3),
        ([(0, None), (100, None), (200, 201)], 3),
    ],
)
def test_the_overlap_is_counted(flights: list[tuple[float, float | None]], most: int) -> None:
    assert most_at_once(flight(*times) for times in flights) == most


def line(at: str, event: str, task: str | None = "t1", **more: str) -> str:
    found = {"at": at, "event": event, "sha256": "a" * 64, **more}
    return json.dumps({**found, "taskId": task} if task else found)


def test_a_flight_goes_from_acceptance_to_outcome() -> None:
    text = "\n".join(
        [
            line("2026-01-01T00:00:00.000Z", "first_boot", None),
            line("2026-01-01T00:00:01.000Z", "accepted"),
            line("2026-01-01T00:00:02.500Z", "trial"),
            line("2026-01-01T00:00:04.000Z", "rolled_back", message="it crashed"),
            line("2026-01-01T00:00:05.000Z", "accepted", "t2"),
            '{"at": "2026-01-0',
        ]
    )
    first, second = flights_of("ada", parse_ledger(text))
    assert first.started_at == START + timedelta(seconds=1)
    assert first.ended_at == START + timedelta(seconds=4)
    assert (first.outcome, first.message, first.agent) == ("rolled_back", "it crashed", "ada")
    assert (second.task_id, second.outcome, second.ended_at) == ("t2", None, None)


def test_an_outcome_without_acceptance_is_no_flight() -> None:
    text = line("2026-01-01T00:00:04.000Z", "rejected")
    assert flights_of("ada", parse_ledger(text)) == []
