"""Checks and bounded waits of the demo."""

import pytest

from hydracore_cli.demo.checks import Checks
from hydracore_cli.demo.waiting import until
from hydracore_cli.errors import CliError


def test_checks_keep_claim_and_evidence() -> None:
    checks = Checks()
    checks.that("six run", holds=True, found="6 of 6")
    failed = checks.that("none lost", holds=False, found="5 of 6")
    assert [check.line for check in checks.made] == [
        "PASS  six run: 6 of 6",
        "FAIL  none lost: 5 of 6",
    ]
    assert checks.failed == [failed]


async def test_waiting_ends_with_an_answer_or_says_what_was_seen_last() -> None:
    answers = iter([None, "there"])

    async def look() -> str | None:
        return next(answers)

    assert await until("it", look, 5) == "there"

    async def never() -> None:
        return None

    with pytest.raises(CliError, match="waited 0 s for the moon; last: clouds"):
        await until("the moon", never, 0, lambda: "clouds")
