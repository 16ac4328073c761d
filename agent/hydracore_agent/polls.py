"""The control plane's marked polls: cheap to make and to check, good for the status alone."""

from __future__ import annotations

import hmac
import re

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hydracore_agent.clock import Clock
from hydracore_agent.pollkeys import VERSION, PollKeys, agree, answer_mark, request_mark
from hydracore_agent.tokens import SKEW_SECONDS, TokenError
from hydracore_agent.trust import TrustStore

LONGEST_SECONDS = 60
_SHAPE = re.compile(
    rf"{VERSION}\.([0-9a-f]{{16}})\.(operator)\.([0-9]{{1,12}})\.([0-9a-f]{{32}})\.([\w=-]{{44}})",
    re.ASCII,
)


class PollAuth:
    """Checks marks of requests and makes those of answers."""

    def __init__(
        self, instance_id: str, key: Ed25519PrivateKey, trust: TrustStore, now: Clock
    ) -> None:
        self._instance_id = instance_id
        self._key = key
        self._trust = trust
        self._now = now
        self._agreed: dict[tuple[str, bytes], PollKeys] = {}

    def check(self, credentials: str) -> tuple[str, str, PollKeys]:
        """Return subject, nonce and keys of a poll.

        Args:
            credentials: What stands after the scheme in the Authorization header.

        Raises:
            TokenError: It is no poll, too old, or its mark is wrong.
        """
        found = _SHAPE.fullmatch(credentials)
        if found is None:
            raise TokenError("the poll is not of the form version.kid.subject.issued.nonce.mark")
        kid, subject, issued, nonce, mark = found.groups()
        keys = self._keys(kid)
        due = request_mark(keys.request, self._instance_id, kid, subject, int(issued), nonce)
        if not hmac.compare_digest(mark, due):
            raise TokenError("the poll's mark is wrong")
        age = self._now().timestamp() - int(issued)
        if not -SKEW_SECONDS <= age < LONGEST_SECONDS + SKEW_SECONDS:
            raise TokenError("the poll is not of this minute: check the clocks")
        return subject, nonce, keys

    def mark(self, keys: PollKeys, nonce: str, status: int, tag: str, body: bytes) -> str:
        """Return the proof of an answer with this ETag; an empty one stands for none."""
        due = answer_mark(keys.answer, self._instance_id, nonce, status, tag, body)
        return f"{VERSION}.{due}"

    def _keys(self, kid: str) -> PollKeys:
        trusted = self._trust.control_plane.get(kid)
        if trusted is None:
            raise TokenError("the poll's kid is not a known control-plane key")
        who = (kid, trusted.public_bytes_raw())
        if who not in self._agreed:
            try:
                agreed = agree(self._key, trusted, self._instance_id)
            except ValueError:
                raise TokenError("no keys can be agreed on with this control-plane key") from None
            current = {(k, key.public_bytes_raw()) for k, key in self._trust.control_plane.items()}
            self._agreed = {w: keys for w, keys in self._agreed.items() if w in current}
            self._agreed[who] = agreed
        return self._agreed[who]
