"""What the demo amounts to in the end."""

import io

import pytest
from rich.console import Console

from hydracore_cli.demo.checks import Checks
from hydracore_cli.demo.run import _verdict
from hydracore_cli.output import Reporter


def verdict(checks: Checks, problem: str | None = None) -> tuple[int, str]:
    out = io.StringIO()
    console = Console(file=out, width=200)
    return _verdict(Reporter(console), checks, problem, 1, 12), out.getvalue()


def made(*, lost: bool) -> Checks:
    checks = Checks()
    checks.that("six run", holds=True, found="6 of 6")
    checks.that("none lost", holds=not lost, found="5 of 6" if lost else "6 of 6")
    return checks


def test_it_succeeds_when_every_check_holds() -> None:
    status, said = verdict(made(lost=False))
    assert status == 0
    assert "All 2 checks hold" in said


def test_one_failed_check_fails_it_and_is_named() -> None:
    status, said = verdict(made(lost=True))
    assert status == 1
    assert "FAIL  none lost: 5 of 6" in said
    assert "1 of 2 checks FAILED: none lost" in said


@pytest.mark.parametrize("lost", [True, False])
def test_an_early_end_fails_it_with_its_reason(lost: bool) -> None:  # noqa: FBT001
    status, said = verdict(made(lost=lost), "the API did not answer")
    assert status == 1
    assert "ended early" in said
    assert "the API did not answer" in said
