"""The control plane's token, and everything that is not one."""

import uuid

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hydracore_agent.auth import ControlAuth
from hydracore_agent.tokens import TokenError
from hydracore_agent.trust import TrustStore, read_bundle_keys, read_control_plane_keys
from tests.agent.support.keys import INSTANCE, kid


@pytest.fixture
def auth(tmp_path, signer, clock) -> ControlAuth:
    trust = TrustStore(
        tmp_path / "trust.json",
        read_control_plane_keys(signer.control_keys()),
        read_bundle_keys(signer.bundle_keys()),
    )
    return ControlAuth(INSTANCE, trust, clock)


def test_accepts_the_operator_and_the_api(auth, signer, clock) -> None:
    for subject in ("operator", "api"):
        jti = str(uuid.uuid4())
        token = signer.token(clock.monotonic(), sub=subject, jti=jti)
        caller = auth.check(f"Bearer {token}")
        assert (caller.subject, caller.nonce) == (subject, jti)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"iss": "someone"}, "not valid"),
        ({"aud": str(uuid.uuid4())}, "not valid"),
        ({"aud": [INSTANCE]}, "not valid"),
        ({"aud": None}, "not valid"),
        ({"sub": "tenant"}, "sub must be"),
        ({"sub": None}, "not valid"),
        ({"jti": "once"}, "jti must be a UUID"),
        ({"exp": None}, "not valid"),
        ({"exp": "tomorrow"}, "exp must be an integer"),
    ],
)
def test_refuses_wrong_claims(auth, signer, clock, changes, reason) -> None:
    with pytest.raises(TokenError, match=reason):
        auth.check("Bearer " + signer.token(clock.monotonic(), **changes))


def test_is_good_for_a_minute_at_most(auth, signer, clock) -> None:
    token = signer.token(clock.monotonic(), exp=int(clock.monotonic()) + 61)
    with pytest.raises(TokenError, match="at most 60 s"):
        auth.check(f"Bearer {token}")
    good = "Bearer " + signer.token(clock.monotonic())
    clock.advance(64)
    auth.check(good)
    clock.advance(1)
    with pytest.raises(TokenError, match="expired"):
        auth.check(good)


def test_refuses_a_token_of_the_future(auth, signer, clock) -> None:
    with pytest.raises(TokenError, match="future"):
        auth.check("Bearer " + signer.token(clock.monotonic() + 10))


def test_refuses_other_types_algorithms_and_keys(auth, signer, clock) -> None:
    now = int(clock.monotonic())
    claims = {
        "iss": "hydracore", "aud": INSTANCE, "sub": "api", "iat": now, "exp": now + 30,
        "jti": str(uuid.uuid4()),
    }  # fmt: skip
    headers = {"typ": "hc-control+jwt", "kid": kid(signer.control)}
    stranger = Ed25519PrivateKey.generate()
    forged = [
        signer.jwt(claims, "hc-order+jwt"),
        signer.jwt(claims, "JWT"),
        signer.jwt(claims, "hc-control+jwt", {"kid": "0" * 16}),
        jwt.encode(claims, stranger, algorithm="EdDSA", headers=headers),
        jwt.encode(claims, None, algorithm="none", headers=headers),
        jwt.encode(
            claims, signer.control.public_key().public_bytes_raw(), algorithm="HS256",
            headers=headers,
        ),
    ]  # fmt: skip
    for token in forged:
        with pytest.raises(TokenError):
            auth.check(f"Bearer {token}")
    auth.check("Bearer " + signer.jwt(claims, "hc-control+jwt"))


@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer ", "Basic abc", "Bearer a.b.c", "Bearer " + "a" * 20000]
)
def test_refuses_what_is_no_token(auth, header) -> None:
    with pytest.raises(TokenError):
        auth.check(header)
