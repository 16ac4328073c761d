"""The merge patch between two wire forms."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from hydracore_kube import merge_diff


def test_equal_forms_need_no_patch() -> None:
    wire = {"state": "running", "runtime": {"version": "1.0.0"}, "conditions": [{"type": "Ready"}]}
    assert merge_diff(wire, dict(wire)) == {}


def test_removed_keys_become_null_also_within() -> None:
    old = {"a": 1, "runtime": {"version": "1", "hash": "x"}}
    assert merge_diff(old, {"runtime": {"version": "1"}}) == {"a": None, "runtime": {"hash": None}}


def test_lists_are_replaced_whole() -> None:
    assert merge_diff({"l": [{"x": 1}, {"y": 2}]}, {"l": [{"x": 1}]}) == {"l": [{"x": 1}]}


def test_an_empty_object_that_appears_is_written() -> None:
    assert merge_diff({}, {"counts": {}}) == {"counts": {}}


def _merge(target: Any, patch: Any) -> Any:
    """RFC 7386, section 2, word for word."""
    if not isinstance(patch, dict):
        return patch
    out = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            out.pop(name, None)
        else:
            out[name] = _merge(out.get(name), value)
    return out


_keys = st.sampled_from("abc")
_leaves = st.one_of(st.booleans(), st.integers(0, 3), st.lists(st.integers(0, 3), max_size=2))
_inner = st.dictionaries(_keys, _leaves, max_size=3)
_wire = st.dictionaries(_keys, st.one_of(_leaves, _inner), max_size=3)


@given(_wire, _wire)
def test_the_patch_turns_old_into_new(old: dict[str, Any], new: dict[str, Any]) -> None:
    assert _merge(old, merge_diff(old, new)) == new
