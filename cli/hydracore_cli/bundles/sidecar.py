"""The signature file beside a bundle: ``<bundle>.sig``, JSON."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path
from typing import Any, Self

from pydantic import ValidationError

from hydracore_artifacts.build.runtime import MANIFEST
from hydracore_artifacts.digest import digest_file
from hydracore_artifacts.errors import DigestMismatch
from hydracore_artifacts.signing import BundleSigner, TrustedKeys
from hydracore_cli.errors import CliError
from hydracore_crds.base import Wire
from hydracore_crds.bundle import Component, Signature

SUFFIX = ".sig"
MAX_MANIFEST_BYTES = 64 * 1024


class SignedBundle(Wire):
    """What was signed: which version of what, its digest, and by whom."""

    component: Component
    slug: str
    version: str
    sha256: str
    size_bytes: int
    signature: Signature

    @classmethod
    def load(cls, bundle: Path) -> Self:
        """Read the signature file beside the bundle.

        Raises:
            CliError: it is missing or of another form.
        """
        path = sidecar_of(bundle)
        try:
            return cls.model_validate_json(path.read_bytes())
        except FileNotFoundError:
            raise CliError(
                f"{path} does not exist: sign the bundle first with `hydracore bundle sign "
                f"{bundle}`"
            ) from None
        except OSError as error:
            raise CliError(f"{path} cannot be read: {error.strerror}") from error
        except ValidationError as error:
            raise CliError(
                f"{path} is not a signature file: sign the bundle again with `hydracore bundle "
                f"sign {bundle}`"
            ) from error

    def check(self, bundle: Path, trusted_keys: TrustedKeys) -> None:
        """Check the file's digest and the signature.

        Raises:
            DigestMismatch, UntrustedKey, SignatureInvalid
        """
        check_digest(bundle, self)
        trusted_keys.check(self.sha256, self.signature)


def sidecar_of(bundle: Path) -> Path:
    """Return where the signature of this bundle file stands."""
    return bundle.with_name(bundle.name + SUFFIX)


def sign_bundle(bundle: Path, signer: BundleSigner) -> SignedBundle:
    """Sign a bundle file and write the signature file beside it.

    Raises:
        CliError: the file is missing or not a bundle.
    """
    manifest = read_manifest(bundle)
    digest = digest_file(bundle)
    try:
        signed = SignedBundle(
            component=manifest["component"],
            slug=manifest["slug"],
            version=manifest["version"],
            sha256=digest.sha256,
            size_bytes=digest.size_bytes,
            signature=signer.sign(digest.sha256),
        )
    except (KeyError, ValidationError) as error:
        raise CliError(
            f"{bundle}: its manifest does not say component, slug and version: build it with "
            "`hydracore bundle build`"
        ) from error
    sidecar_of(bundle).write_text(json.dumps(signed.to_wire(), indent=1) + "\n")
    return signed


def check_digest(bundle: Path, signed: SignedBundle) -> None:
    """Raise DigestMismatch where the file is not the one that was signed."""
    try:
        found = digest_file(bundle)
    except OSError as error:
        raise CliError(f"{bundle} cannot be read: {error.strerror}") from error
    if found.sha256 != signed.sha256:
        raise DigestMismatch(
            f"{bundle} has the digest {found.sha256}, but {signed.sha256} was signed: "
            f"sign it again with `hydracore bundle sign {bundle}`"
        )


def read_manifest(bundle: Path) -> dict[str, Any]:
    """Return the manifest in a bundle file.

    Raises:
        CliError: the file is missing or not a bundle.
    """
    try:
        with tarfile.open(bundle, "r|gz") as archive:
            for entry in archive:
                if entry.name == str(MANIFEST) and entry.size <= MAX_MANIFEST_BYTES:
                    stream = archive.extractfile(entry)
                    found = json.load(stream) if stream is not None else None
                    if isinstance(found, dict):
                        return found
                    break
    except FileNotFoundError:
        raise CliError(
            f"{bundle} does not exist: build it with `hydracore bundle build --version X --out "
            f"{bundle}`"
        ) from None
    except OSError as error:
        raise CliError(f"{bundle} cannot be read: {error.strerror or error}") from error
    except (tarfile.TarError, EOFError, ValueError) as error:
        raise CliError(f"{bundle} is not a bundle (a gzip tar): {error}") from error
    raise CliError(f"{bundle} is not a bundle: it has no readable {MANIFEST}")
