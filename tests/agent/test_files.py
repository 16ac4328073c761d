"""Files that survive a kill."""

import os

import pytest

from hydracore_agent.files import read_json, write_atomic


def test_replaces_whole_and_closed(tmp_path) -> None:
    path = tmp_path / "state.json"
    write_atomic(path, b"old")
    write_atomic(path, b"new")
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [found.name for found in tmp_path.iterdir()] == ["state.json"]


def test_a_failed_write_leaves_the_old(tmp_path, monkeypatch) -> None:
    path = tmp_path / "state.json"
    write_atomic(path, b"old")

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_atomic(path, b"new")
    assert path.read_bytes() == b"old"
    assert [found.name for found in tmp_path.iterdir()] == ["state.json"]


def test_reading_is_bounded(tmp_path) -> None:
    path = tmp_path / "state.json"
    assert read_json(path) is None
    path.write_text("[1, 2, 3]")
    assert read_json(path) == [1, 2, 3]
    with pytest.raises(ValueError, match="longer than 4 bytes"):
        read_json(path, longest=4)
