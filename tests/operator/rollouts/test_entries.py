"""The ledger as a value."""

from __future__ import annotations

import pytest

from hydracore_operator.rollouts.entries import (
    MAX_ENTRIES,
    Entry,
    change,
    decode,
    encode,
    slots,
)
from tests.operator.rollouts.fakes import START


def entry(number: int, **changes: object) -> Entry:
    fields = {
        "target": f"t{number}",
        "rollout": "r",
        "attempt": 1,
        "instance_name": f"i{number}",
        "instance_uid": f"uid-{number}",
        "deadline": START,
        "epoch": 1,
    }
    return Entry.model_validate(fields | changes)


def test_claims_stop_at_the_limit() -> None:
    claims = {f"n{n}": entry(n) for n in range(5)}
    changed = change({"a": entry(9)}, claims=claims, frees=(), adopts={}, limit=3)
    assert set(changed.entries) == {"a", "n0", "n1"}
    assert set(changed.refused) == {"n2", "n3", "n4"}
    assert "all 3 slots" in changed.refused["n2"]


def test_what_is_freed_in_the_same_write_can_be_claimed() -> None:
    changed = change(
        {"a": entry(1), "b": entry(2)}, claims={"c": entry(3)}, frees={"a"}, adopts={}, limit=2
    )
    assert set(changed.entries) == {"b", "c"}
    assert changed.refused == {}


def test_one_entry_for_each_instance() -> None:
    claims = {"x": entry(1), "y": entry(7), "z": entry(7)}
    changed = change({"a": entry(1)}, claims=claims, frees=(), adopts={}, limit=10)
    assert set(changed.entries) == {"a", "y"}
    assert set(changed.refused) == {"x", "z"}


def test_adopted_orders_count_but_are_never_refused() -> None:
    adopts = {f"a{n}": entry(n) for n in range(3)}
    changed = change({}, claims={"c": entry(9)}, frees=(), adopts=adopts, limit=2)
    assert set(changed.entries) == {"a0", "a1", "a2"}
    assert set(changed.refused) == {"c"}


def test_an_entry_that_is_being_freed_is_not_adopted_again() -> None:
    adopts = {"a": entry(1)}
    assert change({}, claims={}, frees={"a"}, adopts=adopts, limit=2).entries == {}


def test_the_ledger_is_bounded() -> None:
    claims = {f"n{n}": entry(n) for n in range(MAX_ENTRIES + 5)}
    changed = change({}, claims=claims, frees=(), adopts={}, limit=10_000)
    assert len(changed.entries) == MAX_ENTRIES
    assert sum(map(len, encode(changed.entries, {}).values())) < 512 * 1024


def test_frees_of_unknown_tasks_change_nothing() -> None:
    current = {"a": entry(1)}
    assert change(current, claims={}, frees={"x"}, adopts={}, limit=2).entries == current


def test_encoded_entries_are_read_back() -> None:
    entries = {"a": entry(1), "b": entry(2, attempt=3, epoch=7)}
    assert decode(encode(entries, {})) == entries


@pytest.mark.parametrize("text", ["{}", "no json", '{"target": 1}'])
def test_an_entry_that_cannot_be_read_is_never_skipped(text: str) -> None:
    with pytest.raises(ValueError, match="not a slot"):
        decode({"a": text})


def test_slots_leave_out_what_is_about_to_be_freed() -> None:
    found = slots({"a": entry(1), "b": entry(2)}, without={"a"})
    assert [(slot.task_id, slot.target_name, slot.instance_uid) for slot in found] == [
        ("b", "t2", "uid-2")
    ]
