"""Whose signatures count: control-plane keys and bundle keys, as they rotate."""

from __future__ import annotations

import logging
from base64 import b64encode
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from hydracore_agent.errors import SettingsError, StateError
from hydracore_agent.fields import FieldError, Fields
from hydracore_agent.files import read_json, write_json
from hydracore_agent.keys import kid_of, public_key
from hydracore_agent.settings import MAX_KEYS, Settings

log = logging.getLogger(__name__)

Keys = Mapping[str, Ed25519PublicKey]


class TrustStore:
    """The keys in force. What a heartbeat brings replaces what was known, and is kept.

    An answer without a usable key changes nothing, so that a faulty one locks nobody out.
    """

    def __init__(self, path: Path, control_plane: Keys, bundles: Keys) -> None:
        self._path = path
        self.control_plane = control_plane
        self.bundles = bundles

    @classmethod
    def load(cls, path: Path, settings: Settings) -> TrustStore:
        """Return the keys last kept, else those of the user data.

        Raises:
            StateError: the kept file is damaged.
            SettingsError: the user data holds no usable key.
        """
        try:
            kept = read_json(path)
        except ValueError as error:
            raise StateError(f"{path} is damaged: {error}; remove it to start afresh") from error
        kept = kept if isinstance(kept, dict) else {}
        control = read_control_plane_keys(
            kept.get("controlPlaneKeys") or settings.control_plane_keys
        )
        bundles = read_bundle_keys(kept.get("trustedBundleKeys") or settings.trusted_bundle_keys)
        if not control or not bundles:
            raise SettingsError(
                "user-data.json holds no usable Ed25519 key in controlPlaneKeys or "
                "trustedBundleKeys: each needs an id and 32 bytes in base64"
            )
        return cls(path, control, bundles)

    def update(self, control_plane: Iterable[Any], bundles: Iterable[Any]) -> bool:
        """Take the keys of a heartbeat's answer; return whether anything changed.

        Raises:
            OSError: they could not be kept; the old ones stay in force.
        """
        control = read_control_plane_keys(control_plane) or self.control_plane
        trusted = read_bundle_keys(bundles) or self.bundles
        if _plain(control) == _plain(self.control_plane) and _plain(trusted) == _plain(
            self.bundles
        ):
            return False
        write_json(
            self._path,
            {
                "controlPlaneKeys": _records("kid", control),
                "trustedBundleKeys": _records("keyId", trusted),
            },
        )
        self.control_plane, self.bundles = control, trusted
        log.info("keys in force: control plane %s, bundles %s", sorted(control), sorted(trusted))
        return True


def read_control_plane_keys(records: Iterable[Any]) -> dict[str, Ed25519PublicKey]:
    """Return the usable keys by kid; a kid that is not its key's is left out with a warning."""
    keys = _read(records, ("kid",))
    for kid in [kid for kid, key in keys.items() if kid_of(key) != kid]:
        log.warning("control-plane key %.32s is left out: the id is not that of the key", kid)
        del keys[kid]
    return keys


def read_bundle_keys(records: Iterable[Any]) -> dict[str, Ed25519PublicKey]:
    """Return the usable keys by key id."""
    return _read(records, ("keyId", "key_id"))


def _read(records: Iterable[Any], names: tuple[str, ...]) -> dict[str, Ed25519PublicKey]:
    keys: dict[str, Ed25519PublicKey] = {}
    for record in list(records)[:MAX_KEYS]:
        try:
            raw = Fields(record, "key").raw()
            key_id = next((raw[name] for name in names if raw.get(name)), None)
            text = raw.get("publicKey") or raw.get("public_key")
            plain = Fields({"id": key_id, "publicKey": text}, "key")
            keys[plain.text("id", longest=128)] = public_key(plain.text("publicKey"))
        except FieldError as error:
            log.warning("a key is left out: %s", error)
    return keys


def _plain(keys: Keys) -> dict[str, bytes]:
    return {key_id: key.public_bytes_raw() for key_id, key in keys.items()}


def _records(name: str, keys: Keys) -> list[dict[str, str]]:
    return [
        {name: key_id, "publicKey": b64encode(raw).decode()} for key_id, raw in _plain(keys).items()
    ]
