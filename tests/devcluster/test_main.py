"""The command line of the development cluster."""

from __future__ import annotations

from pathlib import Path

import pytest

from hydracore_devcluster import __main__ as command
from hydracore_devcluster import golang
from hydracore_devcluster.errors import GoMissingError
from tests.devcluster.fakes import fake_go


def test_go_prints_the_path_of_the_one_that_builds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    go = fake_go(tmp_path / "go", "go1.26.7")
    monkeypatch.setenv("PATH", f"{tmp_path}:/nowhere")
    assert command.main(["go"]) == 0
    assert capsys.readouterr().out == f"{go}\n"


def test_without_go_stdout_is_empty_and_stderr_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def missing(*_args: object) -> golang.Go:
        raise GoMissingError("put Go on PATH")

    monkeypatch.setattr(golang, "ensure", missing)
    assert command.main(["go"]) == 1
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "error: put Go on PATH\n")
