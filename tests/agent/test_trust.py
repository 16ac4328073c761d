"""Keys that rotate."""

import json

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hydracore_agent.errors import StateError
from hydracore_agent.trust import TrustStore
from tests.agent.support.keys import Signer, kid, public


def test_starts_with_the_user_data_and_keeps_what_a_heartbeat_brings(world) -> None:
    trust = TrustStore.load(world.layout.trust, world.settings())
    assert set(trust.control_plane) == {kid(world.signer.control)}
    newer = Signer()
    both = [*world.signer.control_keys(), *newer.control_keys()]
    assert trust.update(both, [])
    assert set(trust.control_plane) == {kid(world.signer.control), kid(newer.control)}
    assert trust.update(newer.control_keys(), [])
    again = TrustStore.load(world.layout.trust, world.settings())
    assert set(again.control_plane) == {kid(newer.control)}
    assert set(again.bundles) == {"release-1"}


def test_the_same_keys_are_no_change(world) -> None:
    trust = TrustStore.load(world.layout.trust, world.settings())
    assert not trust.update(world.signer.control_keys(), world.signer.bundle_keys())
    assert not world.layout.trust.exists()


@pytest.mark.parametrize(
    "records",
    [
        [],
        ["key"],
        [{"kid": "0" * 16, "publicKey": public(Ed25519PrivateKey.generate())}],
        [{"kid": "x", "publicKey": "AAAA"}],
        [{"kid": "x", "publicKey": "!"}],
        [{"publicKey": public(Ed25519PrivateKey.generate())}],
    ],
)
def test_an_answer_without_a_usable_key_locks_nobody_out(world, records) -> None:
    trust = TrustStore.load(world.layout.trust, world.settings())
    assert not trust.update(records, [])
    assert set(trust.control_plane) == {kid(world.signer.control)}


def test_reads_both_spellings(world) -> None:
    trust = TrustStore.load(world.layout.trust, world.settings())
    key = Ed25519PrivateKey.generate()
    assert trust.update([], [{"key_id": "release-2", "public_key": public(key)}])
    assert set(trust.bundles) == {"release-2"}


def test_a_damaged_file_is_named(world) -> None:
    world.layout.trust.write_text("{")
    with pytest.raises(StateError, match=r"trust\.json is damaged"):
        TrustStore.load(world.layout.trust, world.settings())


def test_a_file_of_no_use_falls_back_to_the_user_data(world) -> None:
    world.layout.trust.write_text(json.dumps({"controlPlaneKeys": [], "trustedBundleKeys": []}))
    trust = TrustStore.load(world.layout.trust, world.settings())
    assert set(trust.control_plane) == {kid(world.signer.control)}
