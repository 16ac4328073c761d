"""Conversations stay bounded and survive damage."""

import os

from hydracore_agent.chat import conversations as module
from hydracore_agent.chat.conversations import Conversations, Message


def test_keeps_the_newest_messages(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(module, "MAX_MESSAGES", 4)
    kept = Conversations(tmp_path)
    for number in range(6):
        kept.append("c", [Message("user", str(number), "now")])
    assert [message.text for message in kept.history("c")] == ["2", "3", "4", "5"]


def test_keeps_the_newest_conversations(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(module, "MAX_CONVERSATIONS", 3)
    kept = Conversations(tmp_path)
    for number in range(5):
        kept.append(f"c{number}", [Message("user", "x", "now")])
        for at, path in enumerate(sorted(tmp_path.glob("*.json"), key=os.path.getmtime)):
            os.utime(path, (at, at))
    assert [bool(kept.history(f"c{number}")) for number in range(5)] == [
        False, False, True, True, True,
    ]  # fmt: skip


def test_ids_that_differ_in_case_are_apart(tmp_path) -> None:
    kept = Conversations(tmp_path)
    kept.append("a", [Message("user", "small", "now")])
    assert kept.history("A") == []


def test_a_damaged_file_starts_anew(tmp_path) -> None:
    kept = Conversations(tmp_path)
    kept.append("c", [Message("user", "x", "now")])
    next(tmp_path.glob("*.json")).write_text("{")
    assert kept.history("c") == []
    kept.append("c", [Message("user", "y", "now")])
    assert [message.text for message in kept.history("c")] == ["y"]
