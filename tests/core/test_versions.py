from __future__ import annotations

import random
from itertools import pairwise

import pytest

from hydracore_core.versions import available, is_newer, parse, update_for
from tests.core.rollouts.builders import SLUG, bundle


def test_precedence_is_semantic_not_alphabetic() -> None:
    rising = ["1.0.0-alpha", "1.0.0-alpha.2", "1.0.0-alpha.10", "1.0.0", "1.2.0", "1.10.0"]
    for older, newer in pairwise(rising):
        assert is_newer(newer, older)
        assert not is_newer(older, newer)
    assert not is_newer("1.0.0+b", "1.0.0+a")


def test_what_is_no_version_is_none() -> None:
    assert parse(None) is None
    assert parse("1.0") is None
    assert parse("1.0.0-01") is None
    with pytest.raises(ValueError, match=r"1\.x"):
        is_newer("1.x", "1.0.0")


def test_available_is_the_highest_that_may_be_offered() -> None:
    offered = [
        bundle("1.9.0"),
        bundle("1.10.0"),
        bundle("1.11.0", yanked=True),
        bundle("1.12.0", ready=("False", "DigestMismatch")),
        bundle("1.13.0", ready=None),
        bundle("2.0.0-rc.1"),
        bundle("3.0.0", slug="other"),
        bundle("3.0.0", component="skill"),
    ]
    for seed in range(5):
        random.Random(seed).shuffle(offered)
        found = available(offered, "runtime", SLUG)
        assert found is not None
        assert found.spec.version == "1.10.0"
    assert available(offered, "mcp-server", SLUG) is None


def test_of_equal_precedence_the_choice_does_not_depend_on_the_order() -> None:
    twins = [bundle("1.0.0+a"), bundle("1.0.0+b")]
    assert available(twins, "runtime", SLUG) == available(twins[::-1], "runtime", SLUG)


@pytest.mark.parametrize(
    ("current", "offered", "mode", "reason"),
    [
        ("1.0.0", "1.1.0", "notify", "newer_version"),
        ("1.0.0", "1.1.0", "auto", "newer_version"),
        ("1.0.0", "1.1.0", "disabled", "disabled"),
        ("1.1.0", "1.1.0", "notify", "up_to_date"),
        ("1.2.0", "1.1.0", "notify", "up_to_date"),
        ("1.2.0-rc.1", "1.1.0", "notify", "up_to_date"),
        ("1.1.0-rc.1", "1.1.0", "notify", "newer_version"),
        ("1.1.0+x", "1.1.0", "notify", "up_to_date"),
        ("1.0.0", None, "notify", "up_to_date"),
        (None, "1.1.0", "notify", "not_reported"),
        ("garbage", "1.1.0", "notify", "not_reported"),
    ],
)
def test_update_reason(current: str | None, offered: str | None, mode: str, reason: str) -> None:
    found = update_for(current, bundle(offered) if offered else None, mode)  # type: ignore[arg-type]
    assert found.reason == reason
    assert found.has_update == (reason == "newer_version")
    assert found.current_version == current


def test_one_in_quarantine_is_shown_but_not_offered() -> None:
    shut = bundle("1.1.0", quarantined=True)
    found = update_for("1.0.0", shut, "auto")
    assert (found.reason, found.has_update, found.available) == ("quarantined", False, shut)
    assert update_for("1.1.0", shut, "auto").reason == "up_to_date"
    assert update_for("1.0.0", shut, "disabled").reason == "disabled"
    assert available([bundle("1.0.0"), shut], "runtime", SLUG) == shut
