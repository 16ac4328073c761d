"""Signature and digest."""

import pytest

from hydracore_agent.orders.outcome import Rejected
from hydracore_agent.orders.verify import check_signature, digest_file
from hydracore_agent.settings import BundleRef
from hydracore_agent.trust import read_bundle_keys
from tests.agent.support.bundles import digest
from tests.agent.support.keys import Signer
from tests.agent.support.world import NEW, OLD


def bundle(signer: Signer, *, key_id: str = "release-1", signature: str | None = None) -> BundleRef:
    given = signer.sign_digest(NEW) if signature is None else signature
    return BundleRef("expressclaw", "1.1.0", NEW, 10, key_id, given)


def test_a_right_signature(signer) -> None:
    check_signature(bundle(signer), read_bundle_keys(signer.bundle_keys()))


def test_an_untrusted_key_is_named(signer) -> None:
    with pytest.raises(Rejected, match="'mallory', which this agent does not trust"):
        check_signature(bundle(signer, key_id="mallory"), read_bundle_keys(signer.bundle_keys()))


def test_a_signature_of_another_digest_key_or_form(signer) -> None:
    keys = read_bundle_keys(signer.bundle_keys())
    for wrong in (signer.sign_digest(OLD), Signer().sign_digest(NEW), "?", "AAAA"):
        with pytest.raises(Rejected, match="is not one of key 'release-1'"):
            check_signature(bundle(signer, signature=wrong), keys)


def test_digest_of_a_file_asks_between_parts(tmp_path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * 3_000_000)
    asked = []
    assert digest_file(path, lambda: asked.append(1)) == digest(b"x" * 3_000_000)
    assert len(asked) == 3
