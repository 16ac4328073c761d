"""One attempt, over real sockets, at receivers that fail, hang, redirect, flood and lie."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from hydracore_devcluster.certificates import Certificates, ensure
from hydracore_operator.notifications.sender import NotDelivered, WebhookSender
from tests.operator.notifications.receiver import Receiver, status

BODY = b'{"type":"rollout.halted"}'
HEADERS = {"webhook-id": "msg_1"}


@pytest.fixture
def sender() -> Iterator[WebhookSender]:
    """A sender as development settings make it, with a short deadline."""
    made = WebhookSender(allow_http=True, allow_private=True, deadline_seconds=0.5)
    yield made
    made.close()


async def fault(sender: WebhookSender, url: str) -> str:
    with pytest.raises(NotDelivered) as caught:
        await sender.send(url, HEADERS, BODY)
    return str(caught.value)


@pytest.mark.parametrize("code", [200, 202, 204])
async def test_any_2xx_is_a_delivery(sender: WebhookSender, code: int) -> None:
    async with Receiver(status(code)) as receiver:
        await sender.send(receiver.url, HEADERS, BODY)
        ((headers, body),) = receiver.got
    assert body == BODY
    assert headers["content-type"] == "application/json"
    assert headers["webhook-id"] == "msg_1"


@pytest.mark.parametrize("code", [400, 404, 429, 500, 503])
async def test_any_other_status_is_none(sender: WebhookSender, code: int) -> None:
    async with Receiver(status(code)) as receiver:
        with pytest.raises(NotDelivered, match=f"^it answered {code}$") as caught:
            await sender.send(receiver.url, HEADERS, BODY)
    assert not caught.value.final


async def test_gone_is_final(sender: WebhookSender) -> None:
    async with Receiver(status(410)) as receiver:
        with pytest.raises(NotDelivered, match="it answered 410") as caught:
            await sender.send(receiver.url, HEADERS, BODY)
    assert caught.value.final


@pytest.mark.parametrize("code", [301, 302, 307, 308])
async def test_redirects_are_not_followed(sender: WebhookSender, code: int) -> None:
    async with Receiver() as elsewhere:
        async with Receiver(status(code, f"Location: {elsewhere.url}")) as receiver:
            said = await fault(sender, receiver.url)
        assert elsewhere.got == []
    assert said == f"it answered {code}, a redirect, which is not followed"


async def test_a_receiver_that_hangs_costs_the_deadline(sender: WebhookSender) -> None:
    async with Receiver() as receiver:
        receiver.answer = None
        began = time.monotonic()
        assert await fault(sender, receiver.url) == "no answer within 0.5 s"
        assert time.monotonic() - began < 5


async def test_an_answer_that_is_cut_within_its_head(sender: WebhookSender) -> None:
    async with Receiver(b"HTTP/1.1 200 OK\r\nX: ") as receiver:
        assert await fault(sender, receiver.url) == "the connection broke before an answer"


async def test_a_body_without_end_is_not_read(sender: WebhookSender) -> None:
    async with Receiver(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n") as receiver:
        receiver.endless = True
        await sender.send(receiver.url, HEADERS, BODY)
        assert receiver.flooded < 32 * 1024 * 1024


@pytest.mark.parametrize(
    "answer", [b"HTTP/1.1 200 OK\r\nX: " + b"y" * 10**6, b"hello, is it me\r\n\r\n"]
)
async def test_an_answer_that_is_no_http_is_not_repeated(
    sender: WebhookSender, answer: bytes
) -> None:
    async with Receiver(answer) as receiver:
        said = await fault(sender, receiver.url)
    assert said in {"its answer is no HTTP", "the connection broke before an answer"}


async def test_nobody_there(sender: WebhookSender) -> None:
    async with Receiver() as receiver:
        url = receiver.url
    assert await fault(sender, url) == "there is no connection"
    assert await fault(sender, "http://nowhere.invalid/") == "its host name cannot be resolved"
    assert await fault(sender, "http://[::1/") == "its url cannot be used"


async def test_names_that_are_never_answered_hold_up_nobody_else(
    sender: WebhookSender, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, answered = threading.Semaphore(0), threading.Event()

    def hang(*_: object, **__: object) -> list[object]:
        asked.release()
        answered.wait(30)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    said = asyncio.gather(*(fault(sender, "http://hangs.invalid/") for _ in range(60)))
    try:
        assert set(await said) == {"no answer within 0.5 s"}
        assert asked.acquire(blocking=False)
        async with asyncio.timeout(2):
            assert await asyncio.to_thread(lambda: "the loop's threads are free")
    finally:
        answered.set()


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
async def test_without_leave_it_does_not_connect_to_private_addresses(host: str) -> None:
    strict = WebhookSender(allow_http=True, deadline_seconds=2)
    async with Receiver() as receiver:
        said = await fault(strict, f"http://{host}:{receiver.port}/")
        assert receiver.most_at_once == 0
    assert said == "its address is not a public one"


async def test_without_leave_it_speaks_https_only() -> None:
    strict = WebhookSender(allow_private=True)
    async with Receiver() as receiver:
        said = await fault(strict, receiver.url)
        assert receiver.most_at_once == 0
    assert said == "its url is not https, which this platform does not allow"


async def test_proxies_of_the_environment_are_ignored(
    sender: WebhookSender, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Receiver(status(200)) as receiver, Receiver(status(200)) as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        await sender.send(receiver.url, HEADERS, BODY)
        assert (len(receiver.got), len(proxy.got)) == (1, 0)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """A CA and a certificate for loopback."""
    return ensure(tmp_path_factory.mktemp("tls"), datetime.now(UTC))


def tls(certificates: Certificates) -> ssl.SSLContext:
    """Return a server's side of TLS."""
    made = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    made.load_cert_chain(certificates.certificate, certificates.key)
    return made


async def test_https_to_a_certificate_that_is_trusted(certificates: Certificates) -> None:
    trusting = ssl.create_default_context(cafile=certificates.ca)
    sender = WebhookSender(allow_private=True, tls=trusting)
    async with Receiver(tls=tls(certificates)) as receiver:
        await sender.send(receiver.url, HEADERS, BODY)
        assert len(receiver.got) == 1


async def test_https_to_a_certificate_that_is_not(certificates: Certificates) -> None:
    sender = WebhookSender(allow_private=True)
    async with Receiver(tls=tls(certificates)) as receiver:
        assert await fault(sender, receiver.url) == "its certificate is not trusted"
        assert receiver.got == []
