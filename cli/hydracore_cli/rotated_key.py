"""Giving an API key a successor on the command line."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from hydracore_api.auth.keys import Rotated, load_server_secret, rotate_api_key
from hydracore_cli.connection import open_history
from hydracore_cli.errors import CliError
from hydracore_cli.lookup import server_secret_file
from hydracore_cli.stack.layout import StackLayout

MAX_OVERLAP = timedelta(days=365)
_OVERLAP = re.compile(r"([0-9]{1,9})([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def overlap_of(text: str) -> timedelta:
    """Read a number with its unit: 0s, 30m, 24h, 7d.

    Raises:
        CliError: it has another form, or is longer than a year.
    """
    found = _OVERLAP.fullmatch(text)
    overlap = timedelta(**{_UNITS[found[2]]: int(found[1])}) if found else None
    if overlap is None or overlap > MAX_OVERLAP:
        raise CliError(f"--overlap {text}: write a number and s, m, h or d, at most 365d, e.g. 24h")
    return overlap


async def rotate_key(layout: StackLayout, name_or_id: str, overlap: str) -> Rotated:
    """Store the successor of the one key with this name or id.

    Raises:
        CliError: there is no such key or more than one, or the overlap cannot be read.
        ServerSecretError, HistoryError
    """
    lasting = overlap_of(overlap)
    secret = load_server_secret(server_secret_file(layout))
    async with open_history(layout) as history:
        found = await history.keys.named(name_or_id)
        if len(found) > 1:
            ids = ", ".join(sorted(key.id for key in found))
            raise CliError(f"{len(found)} keys are called {name_or_id}: name one by its id: {ids}")
        rotated = None
        if found:
            rotated = await rotate_api_key(
                history,
                secret,
                found[0],
                overlap=lasting,
                created_by="hydracore-cli",
                at=datetime.now(UTC),
            )
    if rotated is None:
        raise CliError(
            f"no key {name_or_id} can be rotated: it is unknown, revoked or has a successor "
            "already; see `hydracore keys list`"
        )
    return rotated
