"""API keys as a table."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from rich import box
from rich.table import Table
from rich.text import Text

from hydracore_history import ApiKey


def keys_table(keys: Sequence[ApiKey], now: datetime) -> Table:
    """Return the keys as a table; of each key only its visible prefix is shown."""
    table = Table(box=box.SIMPLE_HEAD)
    for column in ("ID", "Name", "Key", "Scopes", "Rights", "Created", "Last used", "State"):
        table.add_column(column)
    for key in keys:
        rights = [
            name for name, on in (("admin", key.admin), ("tenant-wide", key.tenant_wide)) if on
        ]
        table.add_row(
            key.id,
            Text(key.name),
            f"{key.prefix}…",
            " ".join(key.scopes),
            ", ".join(rights) or "-",
            _shown(key.created_at),
            _shown(key.last_used_at),
            _state(key, now),
        )
    return table


def _state(key: ApiKey, now: datetime) -> str:
    if key.revoked_at is not None:
        return f"revoked {_shown(key.revoked_at)}"
    if key.expires_at is None:
        return "in use"
    return f"{'in use until' if key.holds(now) else 'expired'} {_shown(key.expires_at)}"


def _shown(at: datetime | None) -> str:
    return at.strftime("%Y-%m-%d %H:%M:%SZ") if at is not None else "never"
