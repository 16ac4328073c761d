"""Ed25519 keys of those who publish bundles, and the list of those that are trusted."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from hydracore_artifacts.errors import (
    KeyFileError,
    SignatureInvalid,
    UntrustedKey,
)
from hydracore_crds.bundle import Signature

KEY_ID_LENGTH = 16
PUBLIC_KEY_BYTES = 32


def key_id(public_key: Ed25519PublicKey) -> str:
    """Return a key's id: the first 16 hex digits of the SHA-256 of its 32 raw bytes."""
    return hashlib.sha256(public_key.public_bytes_raw()).hexdigest()[:KEY_ID_LENGTH]


def create_key_file(path: Path) -> Ed25519PrivateKey:
    """Make a new private key (PKCS#8 PEM, mode 0600) and return it.

    Raises:
        KeyFileError: the file is already there or cannot be written; nothing is overwritten.
    """
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise KeyFileError(
            f"{path} is already there and was left as it is: name another file"
        ) from None
    except OSError as error:
        raise KeyFileError(f"{path} cannot be written: {error.strerror}") from error
    with os.fdopen(handle, "wb") as stream:
        stream.write(pem)
    return key


def load_key_file(path: Path) -> Ed25519PrivateKey:
    """Read a private key.

    Raises:
        KeyFileError: the file is missing, unreadable, or not an Ed25519 key in PEM.
    """
    try:
        pem = path.read_bytes()
    except FileNotFoundError:
        raise KeyFileError(
            f"{path} does not exist: make a key with `hydracore bundle keygen --out {path}`"
        ) from None
    except OSError as error:
        raise KeyFileError(f"{path} cannot be read: {error.strerror}") from error
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError) as error:
        raise KeyFileError(f"{path} is not an unencrypted private key in PEM form") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyFileError(f"{path} holds a key of another kind: an Ed25519 key is needed")
    return key


@dataclass(frozen=True, slots=True)
class BundleSigner:
    """Signs digests with one private key."""

    private_key: Ed25519PrivateKey

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read the signer's key from a PEM file; raises KeyFileError."""
        return cls(load_key_file(path))

    @property
    def key_id(self) -> str:
        """Id of the key, as it stands in signatures and in lists of trusted keys."""
        return key_id(self.private_key.public_key())

    @property
    def trusted_key(self) -> TrustedKey:
        """The public half, as it goes into a list of trusted keys."""
        return TrustedKey(self.key_id, self.private_key.public_key())

    def sign(self, sha256: str) -> Signature:
        """Sign the 32 bytes of this digest (hex)."""
        value = self.private_key.sign(bytes.fromhex(sha256))
        return Signature(key_id=self.key_id, value=base64.b64encode(value).decode())


@dataclass(frozen=True, slots=True)
class TrustedKey:
    """A public key whose signatures count."""

    key_id: str
    public_key: Ed25519PublicKey

    def to_wire(self) -> dict[str, str]:
        """Return the entry of the JSON list: ``keyId`` and ``publicKey`` (base64)."""
        raw = self.public_key.public_bytes_raw()
        return {"keyId": self.key_id, "publicKey": base64.b64encode(raw).decode()}


@dataclass(frozen=True, slots=True)
class TrustedKeys:
    """The keys whose signatures count; several at once while one replaces another."""

    keys: tuple[TrustedKey, ...]

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a JSON list ``[{"keyId": …, "publicKey": <base64 of 32 bytes>}]``.

        Raises:
            KeyFileError: the file is missing, unreadable or of another form.
        """
        try:
            entries = json.loads(path.read_bytes())
        except FileNotFoundError:
            raise KeyFileError(
                f"{path} does not exist: it must list the keys whose bundles are trusted"
            ) from None
        except OSError as error:
            raise KeyFileError(f"{path} cannot be read: {error.strerror}") from error
        except ValueError as error:
            raise KeyFileError(f"{path} is not JSON: {error}") from error
        if not isinstance(entries, list):
            raise KeyFileError(f"{path} must hold a JSON list of {{keyId, publicKey}}")
        return cls(tuple(_parse_entry(path, n, entry) for n, entry in enumerate(entries)))

    def save(self, path: Path) -> None:
        """Write the list as JSON; the file is replaced as a whole."""
        staged = path.with_name(f".{path.name}.new")
        staged.write_text(json.dumps(self.to_wire(), indent=1) + "\n")
        staged.replace(path)

    def to_wire(self) -> list[dict[str, str]]:
        """Return the JSON list."""
        return [key.to_wire() for key in self.keys]

    def check(self, sha256: str, signature: Signature) -> None:
        """Check a signature over a digest (hex).

        Raises:
            UntrustedKey: the signature names a key that is not on the list.
            SignatureInvalid: it is not that key's signature over this digest.
        """
        # Two keys may share an id in a list written by hand; any of them may have signed.
        candidates = [key for key in self.keys if key.key_id == signature.key_id]
        if not candidates:
            known = ", ".join(key.key_id for key in self.keys) or "none"
            raise UntrustedKey(
                f"signed with key {signature.key_id}, which is not trusted (trusted: {known}): "
                "add its public key to the list of trusted keys, or sign with a trusted one"
            )
        if not any(_is_signed(key, sha256, signature) for key in candidates):
            raise SignatureInvalid(
                f"the signature is not that of key {signature.key_id} over the digest {sha256}: "
                "sign the artifact again and publish it as a new version"
            )


def _is_signed(key: TrustedKey, sha256: str, signature: Signature) -> bool:
    try:
        key.public_key.verify(base64.b64decode(signature.value), bytes.fromhex(sha256))
    except (InvalidSignature, binascii.Error):
        return False
    return True


def _parse_entry(path: Path, position: int, entry: Any) -> TrustedKey:
    where = f"{path}, entry {position + 1}"
    if not isinstance(entry, dict) or not all(
        isinstance(entry.get(name), str) for name in ("keyId", "publicKey")
    ):
        raise KeyFileError(f"{where}: needs the texts keyId and publicKey")
    try:
        raw = base64.b64decode(entry["publicKey"], validate=True)
    except binascii.Error as error:
        raise KeyFileError(f"{where}: publicKey is not base64") from error
    if len(raw) != PUBLIC_KEY_BYTES:
        raise KeyFileError(
            f"{where}: publicKey has {len(raw)} bytes; an Ed25519 key has {PUBLIC_KEY_BYTES}"
        )
    return TrustedKey(entry["keyId"], Ed25519PublicKey.from_public_bytes(raw))
