"""Whether a rollout's bundle may be delivered, and what exactly is delivered."""

from __future__ import annotations

from hydracore_core.quarantine import quarantine_of
from hydracore_core.rollouts.scope import Gate
from hydracore_core.versions import is_ready
from hydracore_crds import Bundle, Rollout
from hydracore_crds.base import find
from hydracore_crds.conditions import (
    ARTIFACT_MISSING,
    BUNDLE_MISSING,
    BUNDLE_NOT_READY,
    BUNDLE_QUARANTINED,
    BUNDLE_YANKED,
    DIGEST_MISMATCH,
    READY,
    SIGNATURE_INVALID,
    STORE_UNAVAILABLE,
    UNTRUSTED_KEY,
)
from hydracore_crds.rollout import PinnedArtifact

_REMEDY = {
    ARTIFACT_MISSING: "upload the artifact again",
    DIGEST_MISMATCH: "publish the artifact whose digest the bundle names, or a new version",
    SIGNATURE_INVALID: "sign the artifact again and publish it as a new version",
    UNTRUSTED_KEY: "trust the signing key, or sign with a trusted one",
    STORE_UNAVAILABLE: "it is checked again by itself once the object store answers",
}


def pin(bundle: Bundle) -> PinnedArtifact:
    """Return what a rollout of this bundle delivers."""
    spec = bundle.spec
    return PinnedArtifact(
        bundle_name=bundle.metadata.name,
        slug=spec.slug,
        version=spec.version,
        sha256=spec.artifact.sha256,
        size_bytes=spec.artifact.size_bytes,
        key_id=spec.signature.key_id,
        signature=spec.signature.value,
    )


def bundle_gate(name: str, bundle: Bundle | None, pinned: PinnedArtifact | None) -> Gate | None:
    """Say why a bundle must not be started now, and what to do; None if it may be.

    Args:
        name: The name that the rollout gives.
        bundle: The bundle of that name, if there is one.
        pinned: What the rollout was admitted with, if it was.
    """
    if bundle is None:
        text = f"there is no bundle {name}: publish it, or cancel this rollout"
        return Gate(BUNDLE_MISSING, text)
    if bundle.spec.component != "runtime":
        text = f"bundle {name} is a {bundle.spec.component}: only runtimes are rolled out"
        return Gate(BUNDLE_NOT_READY, f"{text}; cancel this rollout")
    if bundle.spec.yanked:
        text = f"bundle {name} was yanked: cancel this rollout and roll out another version"
        return Gate(BUNDLE_YANKED, text)
    if pinned is not None and pinned.sha256 != bundle.spec.artifact.sha256:
        text = f"bundle {name} has another digest than when this rollout was admitted"
        return Gate(DIGEST_MISMATCH, f"{text}: cancel it and start a new one")
    return None if is_ready(bundle) else _unready(name, bundle)


def quarantine_gate(rollout: Rollout, bundle: Bundle | None) -> Gate | None:
    """Say why a rollout that nobody asked for waits with a bundle in quarantine.

    One that a person has resumed since then goes on: they have decided for their own tenant.
    """
    found = quarantine_of(bundle) if bundle is not None and rollout.spec.only_auto else None
    resumed = rollout.status.resumed_at
    if found is None or (resumed is not None and resumed >= found.last_transition_time):
        return None
    text = f"bundle {rollout.spec.bundle_name} is in quarantine ({found.reason})"
    ways = "it goes on when the bundle is released, or when this rollout is resumed; or cancel it"
    return Gate(BUNDLE_QUARANTINED, f"{text}; {ways}")


def _unready(name: str, bundle: Bundle) -> Gate:
    ready = find(bundle.status.conditions, READY)
    if ready is None:
        return Gate(BUNDLE_NOT_READY, f"bundle {name} has not been verified yet; this comes soon")
    reason = ready.reason if ready.reason in _REMEDY else BUNDLE_NOT_READY
    remedy = _REMEDY.get(ready.reason, "see the bundle's condition Ready")
    text = f"bundle {name} is not ready ({ready.reason}: {ready.message[:512]})"
    return Gate(reason, f"{text}; {remedy}")
