"""Bundles from the object store: where the control plane sends us, and no further."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest

from hydracore_agent.logs import redact
from hydracore_agent.orders.control import Control
from hydracore_agent.orders.download import NEW_URLS, Downloader, Source
from hydracore_agent.orders.outcome import Rejected
from hydracore_agent.orders.redirect import signed_url
from hydracore_agent.settings import Tuning
from tests.agent.support.clock import FakeClock

CONTENT = os.urandom(10_000)
API = "https://api.example/agent/v1/bundles/x"
SIGNATURE = "X-Amz-Credential=AKID%2Fx&X-Amz-Signature=5e1f00d"
STORE = f"https://store.example/b/x?{SIGNATURE}"


class Both:
    """The control plane, which sends to the store, and the store, which is scripted."""

    def __init__(self, *script: object, location: str = STORE) -> None:
        self.script = list(script)
        self.location = location
        self.asked: list[httpx.Request] = []
        self.fetched: list[httpx.Request] = []
        self.clients: list[str] = []

    def connect(self, url: str) -> httpx.AsyncClient:
        self.clients.append(url)
        return httpx.AsyncClient(transport=httpx.MockTransport(self.answer))

    def answer(self, request: httpx.Request) -> httpx.Response:
        if request.url.host in {"api.example", "127.0.0.1"} and "/agent/" in request.url.path:
            self.asked.append(request)
            number = len(self.asked)
            headers = {"location": self.location.replace("5e1f00d", f"5e1f00d{number}")}
            return httpx.Response(307, headers=headers)
        self.fetched.append(request)
        step = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if isinstance(step, int):
            return httpx.Response(step, headers={"location": "https://third.example/"})
        assert isinstance(step, bytes)
        begin = int(request.headers.get("range", "bytes=0-")[6:-1])
        headers = {"content-range": f"bytes {begin}-{len(CONTENT) - 1}/{len(CONTENT)}"}
        rest = streamed(step[begin:])
        return httpx.Response(206 if begin else 200, content=rest, headers=headers)


async def streamed(content: bytes) -> AsyncIterator[bytes]:
    yield content


@pytest.fixture
def pull(tmp_path, clock: FakeClock):
    async def run(
        both: Both, *, url: str = API, token: str | None = "hca_key", seconds: float = 90
    ):
        control = Control(clock() + timedelta(seconds=seconds), clock)
        tuning = Tuning(retry_first=1, retry_most=8)
        loader = Downloader(both.connect, tuning, sleep=clock.sleep, spread=lambda: 1.0)
        await loader.pull(Source(API, len(CONTENT), token), tmp_path / "part", control)
        return (tmp_path / "part").read_bytes()

    return run


async def test_the_bytes_come_from_there_and_the_key_does_not_go_there(pull) -> None:
    both = Both(CONTENT)
    assert await pull(both) == CONTENT
    assert both.asked[0].headers["authorization"] == "Bearer hca_key"
    assert "authorization" not in both.fetched[0].headers
    assert "hca_key" not in str(both.fetched[0].headers)
    assert both.fetched[0].headers["accept-encoding"] == "identity"
    assert both.clients == [API, str(both.fetched[0].url)], "a client of its own: no cookies, TLS"


async def test_what_breaks_off_goes_on_with_a_new_url(pull) -> None:
    """Also when the URL has expired meanwhile."""
    both = Both(CONTENT[:4000], 403, 503, CONTENT)
    assert await pull(both) == CONTENT
    assert len(both.asked) == len(both.fetched) == 4
    signatures = {str(request.url) for request in both.fetched}
    assert len(signatures) == 4, "no URL is used twice"
    assert [r.headers.get("range") for r in both.fetched] == [None, *["bytes=4000-"] * 3]
    assert [r.headers.get("range") for r in both.asked] == [None, *["bytes=4000-"] * 3]


async def test_a_store_that_refuses_every_url_is_believed_at_last(pull, caplog) -> None:
    both = Both(403)
    caplog.set_level(logging.DEBUG)
    with pytest.raises(Rejected, match=r"store\.example refuses the signed URL with status 403"):
        await pull(both)
    assert len(both.fetched) == NEW_URLS + 1
    ours = [r.getMessage() for r in caplog.records if r.name.startswith("hydracore")]
    assert ours
    assert not any("X-Amz" in text for text in ours)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_the_store_may_not_send_us_on(pull, status: int) -> None:
    both = Both(status)
    with pytest.raises(Rejected, match=rf"store\.example refuses the bundle with status {status}"):
        await pull(both)
    assert len(both.fetched) == 1


async def test_who_is_not_the_control_plane_sends_us_nowhere(pull) -> None:
    both = Both(CONTENT)
    with pytest.raises(Rejected, match=r"api\.example refuses the bundle with status 307"):
        await pull(both, token=None)
    assert both.fetched == []


@pytest.mark.parametrize(
    "location",
    [
        "http://store.example/b/x?" + SIGNATURE,
        "http://169.254.169.254/latest/meta-data/?" + SIGNATURE,
        "http://127.0.0.1:8001/x?" + SIGNATURE,
        "https://user:word@store.example/x?" + SIGNATURE,
        "https://store.example/x#" + SIGNATURE,
        "file:///etc/passwd?" + SIGNATURE,
        "//store.example/x?" + SIGNATURE,
        "/agent/v1/elsewhere?" + SIGNATURE,
        "https://store.example:0/?" + SIGNATURE,
        "https://store.example:port/?" + SIGNATURE,
        "https://[store.example/?" + SIGNATURE,
        "https://store.example/" + "x" * 5000,
        "https://store.example/a b",
        "https://",
        "",
    ],
)
async def test_unsafe_places_are_not_asked(pull, location: str) -> None:
    both = Both(CONTENT, location=location)
    with pytest.raises(
        Rejected, match=r"api\.example(: Invalid URL in location| redirects to)"
    ) as caught:
        await pull(both)
    assert both.fetched == []
    assert "X-Amz" not in str(caught.value)


def test_loopback_will_do_on_one_machine_only() -> None:
    here, there = "http://127.0.0.1:7070/b/x?s=1", "http://127.0.0.1:8080/agent/v1/bundles/x"
    assert signed_url(there, here) == here
    assert signed_url("http://[::1]:8080/a", here) == here
    for asked in ("http://api.example/a", "http://10.0.0.1/a", "http://localhost:8080/a"):
        with pytest.raises(Rejected, match="without TLS"):
            signed_url(asked, here)
    with pytest.raises(Rejected, match="without TLS"):
        signed_url(there, "http://localhost:7070/b/x")


def test_a_signed_url_in_a_log_is_blanked() -> None:
    text = redact(f'GET {STORE}&X-Amz-Security-Token=abc/def "200"')
    assert text == 'GET https://store.example/b/x?[secret]&[secret]&[secret] "200"'
    assert hashlib.sha256(CONTENT).hexdigest() in redact(hashlib.sha256(CONTENT).hexdigest())
