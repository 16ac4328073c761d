"""Conversations are read back by those whom the control plane lets read them."""

from __future__ import annotations

import os

import pytest

from hydracore_agent.chat import reading
from hydracore_agent.chat.conversations import Conversations, Message
from hydracore_agentclient import Conversation, ConversationList
from tests.agent.support.surface import Bench

AT = "2030-05-01T12:00:00.000Z"
LATER = "2030-05-01T12:00:01.000Z"


@pytest.fixture
def bench(world) -> Bench:
    return Bench(world)


@pytest.fixture
def kept(bench) -> Conversations:
    return Conversations(bench.world.layout.conversations)


def said(kept: Conversations, id_: str, *texts: str) -> None:
    first, *rest = texts
    kept.append(id_, [Message("user", first, AT), *(Message("assistant", t, LATER) for t in rest)])


async def test_what_was_chatted_is_read_back(bench) -> None:
    await bench.call("POST", "/api/chat", {"message": "Hello?", "conversationId": "c:1_a-b"})
    answer = await bench.call("GET", "/api/conversations")
    assert answer.status_code == 200
    (line,) = ConversationList.model_validate(answer.json()).conversations
    assert (line.id, line.messages) == ("c:1_a-b", 2)
    one = await bench.call("GET", "/api/conversations/c:1_a-b")
    found = Conversation.model_validate(one.json())
    assert (found.id, found.truncated) == ("c:1_a-b", False)
    assert [message.role for message in found.messages] == ["user", "assistant"]
    assert found.messages[0].text == "Hello?"


async def test_the_newest_come_first_up_to_the_limit(bench, kept) -> None:
    for number in range(4):
        said(kept, f"c{number}", "hi", "ho")
        for at, path in enumerate(
            sorted(bench.world.layout.conversations.glob("*.json"), key=os.path.getmtime)
        ):
            os.utime(path, (at, at))
    answer = await bench.call("GET", "/api/conversations?limit=2")
    assert [one["id"] for one in answer.json()["conversations"]] == ["c3", "c2"]
    assert answer.json()["conversations"][0] == {
        "id": "c3",
        "messages": 2,
        "firstAt": AT,
        "lastAt": LATER,
    }


async def test_a_damaged_file_is_left_out(bench, kept) -> None:
    said(kept, "good", "hi")
    (bench.world.layout.conversations / "bad.json").write_text('{"id": "bad", "messages": []}')
    (bench.world.layout.conversations / "worse.json").write_text("{")
    answer = await bench.call("GET", "/api/conversations")
    assert [one["id"] for one in answer.json()["conversations"]] == ["good"]


async def test_of_a_long_one_the_newest_messages_are_told(bench, kept, monkeypatch) -> None:
    monkeypatch.setattr(reading, "MAX_BYTES", 400)
    said(kept, "long", *(str(number) * 50 for number in range(9)))
    answer = (await bench.call("GET", "/api/conversations/long")).json()
    assert answer["truncated"] is True
    assert 0 < len(answer["messages"]) < 9
    assert answer["messages"][-1]["text"] == "8" * 50


@pytest.mark.parametrize("id_", ["unknown", "a%2Fb", "x" * 200, "%2e%2e"])
async def test_an_unknown_one_is_404(bench, kept, id_: str) -> None:
    said(kept, "known", "hi")
    assert (await bench.call("GET", f"/api/conversations/{id_}")).status_code == 404


@pytest.mark.parametrize("limit", ["0", "101", "-1", "x", "", "9" * 400])
async def test_the_limit_is_bounded(bench, limit: str) -> None:
    answer = await bench.call("GET", f"/api/conversations?limit={limit}")
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")
