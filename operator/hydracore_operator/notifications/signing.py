"""Signs notifications as the Standard Webhooks specification says, with Ed25519 (``v1a``).

Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
from datetime import datetime

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from hydracore_agentclient import ControlPlaneKey

_INFO = b"hydracore webhook signatures"
"""A key for one purpose: what is signed for a webhook can be nothing else, such as an order."""


class WebhookSigner:
    """Signs with a key that is derived from the control plane's.

    Attributes:
        public_key: ``whpk_`` and base64, for receivers.
    """

    def __init__(self, key: ControlPlaneKey) -> None:
        self._private = Ed25519PrivateKey.from_private_bytes(key.derive(_INFO))
        raw = self._private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.public_key = "whpk_" + base64.b64encode(raw).decode()

    def headers(self, message_id: str, body: bytes, now: datetime) -> dict[str, str]:
        """Return the headers that go with an attempt at ``now``."""
        timestamp = str(int(now.timestamp()))
        signed = b".".join((message_id.encode(), timestamp.encode(), body))
        signature = base64.b64encode(self._private.sign(signed)).decode()
        return {
            "webhook-id": message_id,
            "webhook-timestamp": timestamp,
            "webhook-signature": f"v1a,{signature}",
        }
