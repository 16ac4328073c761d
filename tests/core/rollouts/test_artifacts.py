from __future__ import annotations

import pytest

from hydracore_core.rollouts.artifacts import bundle_gate, pin
from hydracore_crds import Bundle
from tests.core.rollouts.builders import bundle


@pytest.mark.parametrize(
    ("found", "reason", "words"),
    [
        (None, "BundleMissing", "publish it"),
        (bundle(yanked=True), "BundleYanked", "another version"),
        (bundle(ready=None), "BundleNotReady", "not been verified"),
        (bundle(ready=("False", "DigestMismatch")), "DigestMismatch", "digest"),
        (bundle(ready=("False", "SignatureInvalid")), "SignatureInvalid", "sign"),
        (bundle(ready=("False", "UntrustedKey")), "UntrustedKey", "trust"),
        (bundle(ready=("False", "ArtifactMissing")), "ArtifactMissing", "upload"),
        (bundle(ready=("Unknown", "StoreUnavailable")), "StoreUnavailable", "by itself"),
        (bundle(ready=("False", "Odd")), "BundleNotReady", "condition Ready"),
        (bundle(component="skill"), "BundleNotReady", "only runtimes"),
    ],
)
def test_what_keeps_a_bundle_back_says_what_to_do(
    found: Bundle | None, reason: str, words: str
) -> None:
    gate = bundle_gate("b", found, None)
    assert gate is not None
    assert gate.reason == reason
    assert words in gate.message


def test_a_ready_bundle_with_the_pinned_digest_passes() -> None:
    assert bundle_gate("b", bundle(), None) is None
    assert bundle_gate("b", bundle(), pin(bundle())) is None


def test_another_digest_under_the_same_name_is_never_delivered() -> None:
    gate = bundle_gate("b", bundle("1.1.0"), pin(bundle("1.2.0")))
    assert gate is not None
    assert gate.reason == "DigestMismatch"
