"""Who may talk to the agent: the control plane, with a token for this instance and this minute."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from hydracore_agent.clock import Clock
from hydracore_agent.pollkeys import SCHEME, PollKeys
from hydracore_agent.polls import PollAuth
from hydracore_agent.tokens import SKEW_SECONDS, Expected, TokenError, verify_token
from hydracore_agent.trust import TrustStore

TYP = "hc-control+jwt"
SUBJECTS = frozenset({"operator", "api"})
LONGEST_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Caller:
    """A caller whose token was right.

    Attributes:
        subject: ``operator`` or ``api``.
        nonce: The token's jti; the proof of the answer repeats it.
        poll: The keys of a marked poll, which may read the status and nothing else; None for a
            signed token.
    """

    subject: str
    nonce: str
    poll: PollKeys | None = None


class ControlAuth:
    """Checks the Authorization header."""

    def __init__(
        self, instance_id: str, trust: TrustStore, now: Clock, polls: PollAuth | None = None
    ) -> None:
        self._polls = polls
        self._expected = Expected(TYP, instance_id, ("sub", "jti"))
        self._trust = trust
        self._now = now

    def check(self, header: str | None, *, polled: bool = False) -> Caller:
        """Return the caller; a marked poll counts only where ``polled`` says so.

        Raises:
            TokenError: the header is missing or its token does not count.
        """
        scheme, _, token = (header or "").partition(" ")
        if scheme == SCHEME and polled and self._polls is not None:
            return Caller(*self._polls.check(token))
        if scheme.lower() != "bearer" or not token:
            raise TokenError("send Authorization: Bearer <JWT of the control plane>")
        now = self._now()
        claims = verify_token(token.strip(), self._expected, self._trust.control_plane, now)
        if claims["exp"] <= now.timestamp() - SKEW_SECONDS:
            raise TokenError("the token has expired")
        if not 0 < claims["exp"] - claims["iat"] <= LONGEST_SECONDS:
            raise TokenError(f"the token must be good for at most {LONGEST_SECONDS} s")
        if claims["sub"] not in SUBJECTS:
            raise TokenError("the claim sub must be operator or api")
        return Caller(claims["sub"], _nonce(claims["jti"]))


def _nonce(jti: object) -> str:
    try:
        uuid.UUID(str(jti))
    except ValueError:
        raise TokenError("the claim jti must be a UUID") from None
    return str(jti)
