"""The committed OpenAPI document: ``python -m hydracore_api.openapi [--check] [path]``."""

from __future__ import annotations

import argparse
import difflib
import json
import sys
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from hydracore_api.app import create_app
from hydracore_api.settings import Settings

DEFAULT_PATH = Path(__file__).resolve().parents[1] / "openapi.json"


def document() -> dict[str, Any]:
    """Return the OpenAPI document; it does not depend on the settings."""
    unused = Path("unused")
    settings = Settings.model_construct(
        server_secret_file=unused,
        control_plane_key_file=unused,
        trusted_bundle_keys_file=unused,
        ops_token=SecretStr(""),
        max_body_bytes=1024 * 1024,
        receive_seconds=30,
    )
    return create_app(settings).openapi()


def render(found: dict[str, Any]) -> str:
    """Return the document as it is committed."""
    return json.dumps(found, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def main(arguments: list[str] | None = None) -> int:
    """Write the document, or compare it with the committed one.

    Returns:
        0, or 1 where ``--check`` found a difference.
    """
    parser = argparse.ArgumentParser(prog="python -m hydracore_api.openapi", description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    parser.add_argument("path", nargs="?", type=Path, default=DEFAULT_PATH)
    chosen = parser.parse_args(arguments)
    fresh = render(document())
    if not chosen.check:
        chosen.path.write_text(fresh, encoding="utf-8")
        return 0
    stored = chosen.path.read_text(encoding="utf-8") if chosen.path.exists() else ""
    if stored == fresh:
        return 0
    changes = difflib.unified_diff(
        stored.splitlines(), fresh.splitlines(), str(chosen.path), "the code", lineterm="", n=1
    )
    sys.stderr.write("\n".join(list(changes)[:60]) + "\n")
    sys.stderr.write(
        f"{chosen.path} is not what the code says: run `python -m hydracore_api.openapi`\n"
    )
    return 1


if __name__ == "__main__":
    sys.exit(main())
