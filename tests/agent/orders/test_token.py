"""Reading orders."""

import pytest

from hydracore_agent.orders.token import read_order
from hydracore_agent.tokens import TokenError
from hydracore_agent.trust import read_control_plane_keys
from tests.agent.support.keys import INSTANCE
from tests.agent.support.world import NEW


def read(signer, clock, **changes):
    now = int(clock.monotonic())
    claims = signer.order_claims(NEW, 10, "http://127.0.0.1/b", iat=now, exp=now + 900)
    claims |= changes
    claims = {name: value for name, value in claims.items() if value is not None}
    keys = read_control_plane_keys(signer.control_keys())
    return read_order(signer.order(claims), INSTANCE, keys, clock())


def test_reads_an_order(signer, clock) -> None:
    order = read(signer, clock, epoch=4, force=True)
    assert (order.epoch, order.force, order.bundle.sha256) == (4, True, NEW)
    assert order.not_after == int(clock.monotonic()) + 900


def test_an_old_order_is_still_read(signer, clock) -> None:
    order = read(signer, clock, exp=int(clock.monotonic()) - 5)
    assert order.not_after < clock.monotonic()


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": "someone"}, {"iss": "someone"}, {"jti": "7"}, {"epoch": -1}, {"epoch": True},
        {"epoch": None}, {"kind": "reboot"}, {"sha256": "x"}, {"sha256": "A" * 64},
        {"sizeBytes": 0}, {"sizeBytes": 10**12}, {"url": "file:///etc/passwd"},
        {"url": "http://[broken"}, {"url": "http:///x"},
        {"force": "yes"},
        {"signature": None}, {"exp": None}, {"version": ""}, {"version": "1\x00"},
    ],
)  # fmt: skip
def test_refuses_wrong_claims(signer, clock, changes) -> None:
    with pytest.raises(TokenError):
        read(signer, clock, **changes)


@pytest.mark.parametrize("token", [None, 3, [], "", "a.b.c", "é"])
def test_refuses_what_is_no_token(signer, clock, token) -> None:
    keys = read_control_plane_keys(signer.control_keys())
    with pytest.raises(TokenError):
        read_order(token, INSTANCE, keys, clock())


def test_a_request_token_is_no_order(signer, clock) -> None:
    keys = read_control_plane_keys(signer.control_keys())
    with pytest.raises(TokenError, match="typ"):
        read_order(signer.token(clock.monotonic()), INSTANCE, keys, clock())
