"""Keys and secrets of a stack: made once, readable by their owner only."""

from __future__ import annotations

import secrets
from pathlib import Path

from hydracore_artifacts.signing import BundleSigner, TrustedKeys, create_key_file, load_key_file
from hydracore_cli.stack.layout import StackLayout
from hydracore_devcluster.layout import write_private

SECRET_BYTES = 32


def ensure_keys(layout: StackLayout) -> None:
    """Make what is missing and check what is there.

    Raises:
        KeyFileError: a key file is there and cannot be used.
    """
    for path in (layout.control_plane_key, layout.signing_key):
        if path.exists():
            load_key_file(path)
        else:
            create_key_file(path)
    if not layout.trusted_bundle_keys.exists():
        signer = BundleSigner.load(layout.signing_key)
        TrustedKeys((signer.trusted_key,)).save(layout.trusted_bundle_keys)
    TrustedKeys.load(layout.trusted_bundle_keys)
    _ensure_secret(layout.server_secret, secrets.token_bytes(SECRET_BYTES))
    _ensure_secret(layout.ops_token, secrets.token_urlsafe(SECRET_BYTES).encode())


def _ensure_secret(path: Path, fresh: bytes) -> None:
    if not path.exists():
        write_private(path, fresh)
