"""Chat streams."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.agent.support.surface import Bench


@pytest.fixture
def bench(world) -> Bench:
    return Bench(world)


async def chat(bench: Bench, body: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    answer = await bench.call("POST", "/api/chat", body)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/event-stream")
    events = []
    for block in answer.text.strip().split("\n\n"):
        name, data = block.split("\n")
        events.append((name.removeprefix("event: "), json.loads(data.removeprefix("data: "))))
    return events


def text(events: list[tuple[str, dict[str, Any]]]) -> str:
    return "".join(data["text"] for name, data in events if name == "token")


async def test_says_that_it_is_offline_and_what_it_can(bench) -> None:
    events = await chat(bench, {"message": "Hello?"})
    names = [name for name, _ in events]
    assert names[0] == "conversation"
    assert names[-1] == "done"
    assert set(names[1:-1]) == {"token"}
    conversation = events[0][1]["conversation_id"]
    assert events[-1][1] == {
        "conversation_id": conversation,
        "model": "offline",
        "offline": True,
    }
    for part in ("Hello Grace", "I am Ada", "offline", "shout: shouts"):
        assert part in text(events)


async def test_a_skill_answers(bench) -> None:
    assert "HELLO THERE" in text(await chat(bench, {"message": "shout: hello there"}))


async def test_a_skill_that_fails_is_said(bench) -> None:
    events = await chat(bench, {"message": "boom"})
    assert "it failed with ZeroDivisionError" in text(events)
    assert events[-1][0] == "done"


async def test_a_conversation_goes_on(bench) -> None:
    body = {"message": "first", "conversationId": "c:1_a-b"}
    await chat(bench, body)
    events = await chat(bench, {**body, "message": "second"})
    assert "has 1 earlier messages" in text(events)
    assert "Hello Grace" not in text(events)


async def test_a_blank_message_is_one_too(bench) -> None:
    """REST's contract bounds the length alone."""
    events = await chat(bench, {"message": " \n\t"})
    assert "I am offline" in text(events)


async def test_one_stream_per_conversation(bench) -> None:
    bench.chat._streaming.add("c")
    answer = await bench.call("POST", "/api/chat", {"message": "x", "conversationId": "c"})
    assert (answer.status_code, answer.json()["code"]) == (409, "busy")


@pytest.mark.parametrize(
    "body",
    [
        {"message": ""},
        {"message": "x" * 8001},
        {"message": "a\x00b"},
        {"message": "\ud800"},
        {"message": 3},
        {"message": "x", "conversationId": "../../etc"},
        {"message": "x", "conversationId": "a" * 129},
        {"message": "x", "conversationId": ""},
        {"message": "x", "conversationId": ["c"]},
    ],
)
async def test_refuses_bad_messages(bench, body) -> None:
    answer = await bench.call("POST", "/api/chat", body)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")
