"""Providers behind a real socket: answers, failures, breakers, and the offline model's turn."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest

from hydracore_agent.chat.breaker import OPENS_AFTER, Breakers
from hydracore_agent.chat.chain import Author, Chain
from hydracore_agent.chat.conversations import Message
from hydracore_agent.chat.model import OfflineModel
from hydracore_agent.chat.remote import ModelError, RemoteModel
from hydracore_agent.net import connect
from hydracore_agent.settings import LlmProvider
from hydracore_agent.updates.config import AgentConfig
from tests.agent.support.clock import FakeClock

CONFIG = AgentConfig("Ada", "Grace")


class Provider:
    """An OpenAI-compatible endpoint that does as it is told."""

    def __init__(self) -> None:
        self.status = 200
        self.words = ["Hel", "lo ", "Grace"]
        self.cut = False
        self.requests: list[tuple[str, dict[str, str], dict[str, Any]]] = []

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        server = await asyncio.start_server(self._talk, "127.0.0.1", 0)
        async with server:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        first, *lines = head.split("\r\n")
        headers = {k.lower(): v.strip() for k, _, v in (one.partition(":") for one in lines if one)}
        body = await reader.readexactly(int(headers["content-length"]))
        self.requests.append((first, headers, json.loads(body)))
        events = [{"choices": [{"delta": {"content": word}}]} for word in self.words]
        text = "".join(f"data: {json.dumps(one)}\n\n" for one in [{"choices": []}, *events])
        text += "" if self.cut else "data: [DONE]\n\n"
        writer.write(f"HTTP/1.1 {self.status} X\r\nConnection: close\r\n\r\n{text}".encode())
        await writer.drain()
        writer.close()


def chain(breakers: Breakers, *urls: str) -> Chain:
    remotes = [
        RemoteModel(
            LlmProvider(f"p{n}", url, f"model-{n}", "sk-canary"),
            lambda: "You are Ada.",
            partial(connect, url, 2.0),
        )
        for n, url in enumerate(urls)
    ]
    return Chain(remotes, OfflineModel(lambda: CONFIG, [], configured=True), breakers)


async def ask(asked: Chain, author: Author | None = None) -> str:
    history = [Message("user", "before", "t"), Message("assistant", "yes", "t")]
    return "".join([piece async for piece in asked.answer(history, "now", author or Author())])


async def test_a_provider_answers_with_the_conversation_before_it() -> None:
    provider, author = Provider(), Author()
    async with provider.serving() as url:
        said = await ask(chain(Breakers(["p0"], FakeClock().monotonic), url), author)
    assert (said, author) == ("Hello Grace", Author("model-0", offline=False))
    first, headers, body = provider.requests[0]
    assert first.startswith("POST /v1/chat/completions ")
    assert headers["authorization"] == "Bearer sk-canary"
    assert [one["role"] for one in body["messages"]] == ["system", "user", "assistant", "user"]
    assert (body["model"], body["stream"]) == ("model-0", True)


async def test_the_next_one_answers_and_the_breaker_spares_the_failing_one() -> None:
    bad, good, breakers = Provider(), Provider(), Breakers(["p0", "p1"], FakeClock().monotonic)
    bad.status = 503
    async with bad.serving() as first, good.serving() as second:
        asked = chain(breakers, first, second)
        for _ in range(OPENS_AFTER + 2):
            author = Author()
            assert await ask(asked, author) == "Hello Grace"
            assert author.name == "model-1"
        assert len(bad.requests) == OPENS_AFTER
        assert breakers.states() == {"p0": "open", "p1": "closed"}
        bad.status = 200
        breakers.clear()
        author = Author()
        await ask(asked, author)
        assert author.name == "model-0"


async def test_without_any_the_offline_model_says_why() -> None:
    breakers, author = Breakers(["p0"], FakeClock().monotonic), Author()
    said = await ask(chain(breakers, "http://127.0.0.1:9"), author)
    assert "no configured language model can be reached now" in said
    assert author == Author()
    assert breakers.of("p0").failures == 1
    assert "ConnectError" in breakers.check().message


async def test_a_request_of_ours_that_is_refused_does_not_count() -> None:
    provider, breakers = Provider(), Breakers(["p0"], FakeClock().monotonic)
    provider.status = 400
    async with provider.serving() as url:
        assert "offline" in await ask(chain(breakers, url))
    assert breakers.of("p0").failures == 0


async def test_an_answer_that_breaks_off_is_an_error_and_counts() -> None:
    provider, breakers = Provider(), Breakers(["p0"], FakeClock().monotonic)
    provider.cut = True
    async with provider.serving() as url:
        with pytest.raises(ModelError, match="broke off"):
            await ask(chain(breakers, url))
    assert breakers.of("p0").failures == 1


async def test_a_reader_who_goes_away_leaves_the_breaker_as_it_was() -> None:
    provider, breakers = Provider(), Breakers(["p0"], FakeClock().monotonic)
    async with provider.serving() as url:
        pieces = chain(breakers, url).answer([], "now", Author())
        assert await anext(pieces) == "Hel"
        await pieces.aclose()  # type: ignore[attr-defined]
    assert breakers.of("p0").failures == 0
