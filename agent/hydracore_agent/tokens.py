"""Strict reading of the control plane's JWTs (RFC 8725: algorithm, type and claims are fixed)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import jwt

from hydracore_agent.trust import Keys

ISSUER = "hydracore"
ALGORITHM = "EdDSA"
MAX_TOKEN = 16 * 1024
SKEW_SECONDS = 5
"""How far the clocks of control plane and agent may be apart."""


class TokenError(Exception):
    """The token does not count; the text says why and repeats nothing of it."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What a token must be.

    Attributes:
        typ: The header's ``typ``.
        audience: The instance's id.
        require: Claims that must be there besides iss, aud, iat and exp.
    """

    typ: str
    audience: str
    require: tuple[str, ...] = ()


def verify_token(token: str, expected: Expected, keys: Keys, now: datetime) -> Mapping[str, Any]:
    """Return the claims of a token with a right signature, type, issuer and audience.

    ``exp`` is only checked to be a number: what is late means something else to each caller.

    Raises:
        TokenError: anything is wrong.
    """
    if len(token) > MAX_TOKEN:
        raise TokenError("the token is too long")
    try:
        header = jwt.get_unverified_header(token)
    except (jwt.InvalidTokenError, ValueError):
        raise TokenError("the token is not a JWT") from None
    if header.get("alg") != ALGORITHM or header.get("typ") != expected.typ:
        raise TokenError(f"the token must be of alg {ALGORITHM} and typ {expected.typ}")
    key = keys.get(str(header.get("kid")))
    if key is None:
        raise TokenError("the token's kid is not a known control-plane key")
    claims = _decode(token, expected, key)
    for name in ("iat", "exp"):
        if isinstance(claims[name], bool) or not isinstance(claims[name], int):
            raise TokenError(f"the claim {name} must be an integer")
    if claims["iat"] > now.timestamp() + SKEW_SECONDS:
        raise TokenError("the token was issued in the future: check the clocks")
    return claims


def _decode(token: str, expected: Expected, key: Any) -> dict[str, Any]:
    try:
        return jwt.decode(
            token,
            key,
            algorithms=[ALGORITHM],
            issuer=ISSUER,
            audience=expected.audience,
            options={
                "require": ["iss", "aud", "iat", "exp", *expected.require],
                "strict_aud": True,
                "verify_exp": False,
                "verify_iat": False,
                "verify_nbf": False,
            },
        )
    except (jwt.InvalidTokenError, ValueError, TypeError) as error:
        raise TokenError(f"the token is not valid: {error}") from None
