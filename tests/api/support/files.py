"""The files that the API reads at its start: keys, secret, artifacts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hydracore_api.settings import Settings
from hydracore_artifacts.signing import BundleSigner, create_key_file

OPS_TOKEN = "ops-" + "o" * 40
SECRET = bytes(range(32))


def make_settings(folder: Path, **more: Any) -> Settings:
    control_plane, signer = folder / "control-plane.pem", folder / "signer.pem"
    trusted, secret = folder / "trusted.json", folder / "server-secret"
    if not secret.exists():
        create_key_file(control_plane)
        create_key_file(signer)
        trusted.write_text(json.dumps([BundleSigner.load(signer).trusted_key.to_wire()]))
        secret.write_bytes(SECRET)
    fields: dict[str, Any] = {
        "database_url": f"sqlite+aiosqlite:///{folder / 'history.db'}",
        "artifacts_url": f"file://{folder / 'artifacts'}",
        "control_plane_key_file": control_plane,
        "trusted_bundle_keys_file": trusted,
        "server_secret_file": secret,
        "ops_token": OPS_TOKEN,
        "listen": "127.0.0.1:0",
        "rollout_wait_seconds": 0.3,
        "smoke_namespace": "acme",
        "smoke_customer_id": "smoke",
    }
    return Settings(**{**fields, **more})
