"""What can be wrong with an artifact, each with the condition reason that it becomes."""

from __future__ import annotations

from typing import ClassVar

from hydracore_crds import conditions


class ArtifactError(Exception):
    """An artifact cannot be used. ``reason`` is the Bundle's condition reason.

    ``retryable`` says whether the same question may have another answer later.
    """

    reason: ClassVar[str]
    retryable: ClassVar[bool] = False


class ArtifactMissing(ArtifactError):  # noqa: N818 - named as the condition reason
    """The store answers, and has no such artifact."""

    reason = conditions.ARTIFACT_MISSING
    retryable = True


class StoreUnavailable(ArtifactError):  # noqa: N818 - named as the condition reason
    """The store does not answer, so nothing is known about the artifact."""

    reason = conditions.STORE_UNAVAILABLE
    retryable = True


class DigestMismatch(ArtifactError):  # noqa: N818 - named as the condition reason
    """The bytes are not those that were published."""

    reason = conditions.DIGEST_MISMATCH


class SignatureInvalid(ArtifactError):  # noqa: N818 - named as the condition reason
    """The signature is not that of the named key over this digest."""

    reason = conditions.SIGNATURE_INVALID


class UntrustedKey(ArtifactError):  # noqa: N818 - named as the condition reason
    """The signature names a key that is not on the list of trusted keys."""

    reason = conditions.UNTRUSTED_KEY


class KeyFileError(Exception):
    """A key file is missing, unreadable or of another form."""


class BuildError(Exception):
    """A bundle cannot be built from what was given."""
