"""Causes from logs."""

from hydracore_agent.launcher import tail
from hydracore_agent.launcher.tail import last_lines, trim


def test_the_last_line_since_the_start(tmp_path) -> None:
    log = tmp_path / "agent.log"
    log.write_text("old trouble\n")
    start = log.stat().st_size
    assert last_lines(log, start) == ""
    with log.open("a") as stream:
        stream.write("Traceback\n  File\nRuntimeError: no flux, key hca_secret123\n\n")
    assert last_lines(log, start) == "RuntimeError: no flux, key [secret]"
    assert last_lines(log, start, 2) == "File / RuntimeError: no flux, key [secret]"


def test_routine_lines_are_no_cause(tmp_path) -> None:
    log = tmp_path / "agent.log"
    log.write_text("ValueError: why\n2026-03-01 12:00:00,000 INFO hydracore_agent.agent: serves\n")
    assert last_lines(log, 0) == "ValueError: why"


def test_a_missing_log_has_no_last_line(tmp_path) -> None:
    assert last_lines(tmp_path / "none", 0) == ""


def test_long_logs_are_cut_and_their_end_is_kept(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(tail, "MAX_BYTES", 100)
    monkeypatch.setattr(tail, "KEPT_BYTES", 10)
    log = tmp_path / "agent.log"
    log.write_bytes(b"x" * 100)
    trim(log)
    assert log.stat().st_size == 100
    log.write_bytes(b"x" * 200 + b"0123456789")
    trim(log)
    assert log.read_bytes() == b""
    assert (tmp_path / "agent.log.1").read_bytes() == b"0123456789"
