"""Signatures, verified by others than who made them: OpenSSL, and the example of the docs."""

from __future__ import annotations

import base64
import re
import subprocess
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from hydracore_operator.notifications import WebhookSigner
from tests.operator.notifications.receiver import Receiver
from tests.operator.notifications.stand import KEY, Stand

DOCS = Path(__file__).parents[3] / "docs" / "notifications.md"
NOW = datetime(2030, 1, 1, 12, 0, 0, 999000, tzinfo=UTC)
BODY = b'{"type":"rollout.halted"}'
SPKI_ED25519 = bytes.fromhex("302a300506032b6570032100")
"""What precedes the raw key in a SubjectPublicKeyInfo (RFC 8410)."""

Verify = Callable[[Mapping[str, str], bytes, str, float], None]


@pytest.fixture(scope="module")
def verify() -> Verify:
    """The example receiver's ``verify`` of docs/notifications.md."""
    found = re.findall(r"```python\n(.*?)```", DOCS.read_text(), re.DOTALL)
    scope: dict[str, Any] = {}
    exec(next(code for code in found if "def verify" in code), scope)
    return cast("Verify", scope["verify"])


@pytest.fixture
def signer() -> WebhookSigner:
    return WebhookSigner(KEY)


def by_openssl(headers: Mapping[str, str], body: bytes, public_key: str, folder: Path) -> bool:
    raw = base64.b64decode(public_key.removeprefix("whpk_"))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    version, _, signature = headers["webhook-signature"].partition(",")
    assert version == "v1a"
    (folder / "key.der").write_bytes(SPKI_ED25519 + raw)
    (folder / "signed").write_bytes(signed)
    (folder / "signature").write_bytes(base64.b64decode(signature, validate=True))
    command = "openssl pkeyutl -verify -pubin -keyform DER -inkey key.der -rawin -in signed"
    asked = [*command.split(), "-sigfile", "signature"]
    return subprocess.run(asked, cwd=folder, check=False, capture_output=True).returncode == 0


def test_openssl_verifies_it(signer: WebhookSigner, tmp_path: Path) -> None:
    headers = signer.headers("msg_1", BODY, NOW)
    assert headers["webhook-timestamp"] == str(int(NOW.timestamp()))
    assert by_openssl(headers, BODY, signer.public_key, tmp_path)
    assert not by_openssl(headers, BODY + b" ", signer.public_key, tmp_path)
    assert not by_openssl({**headers, "webhook-id": "msg_2"}, BODY, signer.public_key, tmp_path)


def test_the_docs_example_verifies_it(signer: WebhookSigner, verify: Verify) -> None:
    headers = signer.headers("msg_1", BODY, NOW)
    verify(headers, BODY, signer.public_key, NOW.timestamp() + 60)


@pytest.mark.parametrize(
    ("changed", "body"),
    [
        ({}, BODY + b" "),
        ({"webhook-id": "msg_2"}, BODY),
        ({"webhook-timestamp": "1893499201"}, BODY),
        ({"webhook-signature": "v1a,AAAA"}, BODY),
        ({"webhook-signature": "v1,AAAA"}, BODY),
    ],
)
def test_the_docs_example_refuses_what_was_changed(
    signer: WebhookSigner, verify: Verify, changed: dict[str, str], body: bytes
) -> None:
    headers = {**signer.headers("msg_1", BODY, NOW), **changed}
    with pytest.raises(ValueError, match="no signature of this key"):
        verify(headers, body, signer.public_key, NOW.timestamp())


def test_the_docs_example_refuses_what_is_old(signer: WebhookSigner, verify: Verify) -> None:
    headers = signer.headers("msg_1", BODY, NOW - timedelta(minutes=6))
    with pytest.raises(ValueError, match="too old"):
        verify(headers, BODY, signer.public_key, NOW.timestamp())


def test_the_key_is_the_same_after_a_restart_and_is_not_the_control_planes(
    signer: WebhookSigner,
) -> None:
    assert WebhookSigner(KEY).public_key == signer.public_key
    assert KEY.public_key_base64 not in signer.public_key


async def test_what_arrives_is_verified_with_the_key_in_the_policy(
    stand: Stand, receiver: Receiver, verify: Verify, tmp_path: Path
) -> None:
    stand.end(stand.rollout())
    await stand.tell()
    ((headers, body),) = receiver.got
    key = stand.current().status.webhook_public_key
    assert key is not None
    verify(headers, body, key, stand.clock.now().timestamp())
    assert by_openssl(headers, body, key, tmp_path)
