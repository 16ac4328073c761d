"""Fetching: resumed, bounded, retried only where that helps."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest

from hydracore_agent.orders.control import Control
from hydracore_agent.orders.download import Downloader, Source, same_origin
from hydracore_agent.orders.outcome import Aborted, Rejected
from hydracore_agent.settings import Tuning
from tests.agent.support.clock import FakeClock

CONTENT = bytes(range(256)) * 40
URL = "http://store.example/bundle"


class Host:
    """A scripted bundle host: each answer is a status, bytes to send, or an error to raise."""

    def __init__(self, *script: object) -> None:
        self.script = list(script)
        self.requests: list[httpx.Request] = []

    def connect(self, _url: str) -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=httpx.MockTransport(self.answer))

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        step = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if isinstance(step, Exception):
            raise step
        if isinstance(step, int):
            return httpx.Response(step)
        if isinstance(step, httpx.Response):
            return step
        assert isinstance(step, bytes | AsyncIterator)
        return (
            ranged(request, step) if isinstance(step, bytes) else httpx.Response(200, content=step)
        )


def ranged(request: httpx.Request, content: bytes) -> httpx.Response:
    wanted = request.headers.get("range")
    if wanted is None:
        return httpx.Response(200, content=streamed(content))
    start = int(wanted.removeprefix("bytes=").rstrip("-"))
    headers = {"content-range": f"bytes {start}-{len(content) - 1}/{len(content)}"}
    return httpx.Response(206, content=streamed(content[start:]), headers=headers)


async def streamed(content: bytes) -> AsyncIterator[bytes]:
    yield content


async def cut(content: bytes) -> AsyncIterator[bytes]:
    yield content
    raise httpx.ReadError("connection reset")


@pytest.fixture
def pull(tmp_path, clock: FakeClock):
    target = tmp_path / "part"

    async def run(host: Host, *, seconds: float = 60, token: str | None = "hca_k"):
        control = Control(clock() + timedelta(seconds=seconds), clock)
        tuning = Tuning(retry_first=1, retry_most=8)
        loader = Downloader(host.connect, tuning, sleep=clock.sleep, spread=lambda: 1.0)
        await loader.pull(Source(URL, len(CONTENT), token), target, control)
        return target

    run.target = target
    return run


async def test_fetches_all_with_the_token(pull) -> None:
    host = Host(CONTENT)
    assert (await pull(host)).read_bytes() == CONTENT
    assert host.requests[0].headers["authorization"] == "Bearer hca_k"
    assert host.requests[0].headers["accept-encoding"] == "identity"


async def test_sends_no_token_where_there_is_none(pull) -> None:
    host = Host(CONTENT)
    await pull(host, token=None)
    assert "authorization" not in host.requests[0].headers


async def test_resumes_where_a_kill_left_it(pull) -> None:
    pull.target.write_bytes(CONTENT[:1000])
    host = Host(CONTENT)
    assert (await pull(host)).read_bytes() == CONTENT
    assert host.requests[0].headers["range"] == "bytes=1000-"


async def test_a_host_without_ranges_is_read_from_the_start(pull) -> None:
    pull.target.write_bytes(b"other" * 100)
    assert (
        await pull(Host(httpx.Response(200, content=streamed(CONTENT))))
    ).read_bytes() == CONTENT


async def test_a_complete_file_asks_nobody(pull) -> None:
    pull.target.write_bytes(CONTENT)
    host = Host(RuntimeError("asked"))
    assert (await pull(host)).read_bytes() == CONTENT
    assert host.requests == []


async def test_a_file_too_long_starts_over(pull) -> None:
    pull.target.write_bytes(CONTENT + b"x")
    assert (await pull(Host(CONTENT))).read_bytes() == CONTENT


async def test_mends_cut_connections_and_bad_moments(pull, clock) -> None:
    begun = clock()
    short = httpx.Response(
        206,
        content=streamed(CONTENT[300:5000]),
        headers={"content-range": f"bytes 300-4999/{len(CONTENT)}"},
    )
    host = Host(httpx.ConnectError("refused"), 503, 429, cut(CONTENT[:300]), short, CONTENT)
    assert (await pull(host)).read_bytes() == CONTENT
    assert [request.headers.get("range") for request in host.requests[-2:]] == [
        "bytes=300-",
        "bytes=5000-",
    ]
    assert (clock() - begun).total_seconds() == 1 + 2 + 4 + 1 + 1  # bytes that came reset it


@pytest.mark.parametrize(
    ("range_", "status"), [("bytes 7-9/10", 206), ("nonsense", 206), (None, 416)]
)
async def test_a_wrong_range_starts_over(pull, range_, status) -> None:
    pull.target.write_bytes(CONTENT[:100])
    headers = {"content-range": range_} if range_ else {}
    host = Host(httpx.Response(status, content=streamed(b"xyz"), headers=headers), CONTENT)
    assert (await pull(host)).read_bytes() == CONTENT
    assert "range" not in host.requests[1].headers


@pytest.mark.parametrize("status", [301, 302, 303, 308, 400, 401, 403, 404, 410])
async def test_a_refusal_is_not_asked_again(pull, status) -> None:
    host = Host(httpx.Response(status, headers={"location": "http://elsewhere.example/"}))
    with pytest.raises(Rejected, match=f"store.example refuses the bundle with status {status}"):
        await pull(host)
    assert len(host.requests) == 1


async def test_a_flood_is_cut_off(pull) -> None:
    with pytest.raises(Rejected, match="sends more than the 10240 bytes"):
        await pull(Host(CONTENT * 3))
    assert pull.target.stat().st_size <= len(CONTENT)


async def test_a_host_that_stays_away_is_given_up_before_the_deadline(pull, clock) -> None:
    begun = clock()
    with pytest.raises(Rejected, match=r"before the order's deadline: store.example: refused"):
        await pull(Host(httpx.ConnectError("refused")), seconds=20)
    assert (clock() - begun).total_seconds() < 20


async def test_a_full_disk_is_said_and_leaves_nothing(pull, monkeypatch) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(Rejected, match="cannot be stored on this server: No space left"):
        await pull(Host(CONTENT))
    assert not pull.target.exists()


async def test_an_impossible_url_is_a_rejection(tmp_path, clock) -> None:
    control = Control(clock() + timedelta(seconds=5), clock)
    loader = Downloader(lambda _url: httpx.AsyncClient(), Tuning(), sleep=clock.sleep)
    with pytest.raises(Rejected):
        await loader.pull(Source("http://\x7f/", 1, None), tmp_path / "part", control)


async def test_a_stop_ends_it(pull, tmp_path, clock) -> None:
    control = Control(clock() + timedelta(seconds=60), clock)
    control.stop()
    loader = Downloader(Host(CONTENT).connect, Tuning(), sleep=clock.sleep)
    with pytest.raises(Aborted):
        await loader.pull(Source(URL, 1, None), tmp_path / "part", control)


def test_the_key_goes_to_the_own_api_only() -> None:
    api = "http://127.0.0.1:8000"
    assert same_origin("http://127.0.0.1:8000/agent/v1/bundles/x", api)
    for other in (
        "http://127.0.0.1:8001/x",
        "https://127.0.0.1:8000/x",
        "http://127.0.0.1:8000@e.org/",
    ):
        assert not same_origin(other, api)
