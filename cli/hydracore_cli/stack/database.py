"""Which history database a stack uses: the embedded one, or a server that its owner named.

A URL may hold a password. It is kept in a file for its owner only, and never in an argument, a
record or a message; whoever shows it shows it without.
"""

from __future__ import annotations

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from hydracore_cli.errors import CliError
from hydracore_cli.stack.layout import StackLayout
from hydracore_devcluster.layout import write_private
from hydracore_history import History

EMBEDDED = "sqlite"
"""What to give to ``--database`` to go back to the embedded database."""


def database_url(layout: StackLayout) -> str:
    """Return the URL of the stack's history database, with its password."""
    try:
        return layout.database_url_file.read_text().strip()
    except FileNotFoundError:
        return embedded_url(layout)


def embedded_url(layout: StackLayout) -> str:
    """Return the URL of the embedded database."""
    return f"sqlite+aiosqlite:///{layout.database}"


def shown_database(layout: StackLayout) -> str:
    """Return what people may see of it."""
    return History(database_url(layout)).shown_url


def keep_database(layout: StackLayout, wanted: str | None) -> None:
    """Remember which database the stack shall use from its next start on.

    Args:
        layout: The stack's files; its folders are there.
        wanted: A URL, :data:`EMBEDDED`, or None to keep what was said last.

    Raises:
        CliError: it is no URL of a database that can be used.
    """
    if wanted is None:
        return
    if wanted == EMBEDDED or wanted == embedded_url(layout):
        layout.database_url_file.unlink(missing_ok=True)
        return
    check_url(wanted)
    write_private(layout.database_url_file, f"{wanted}\n".encode())


def differs(layout: StackLayout, wanted: str | None) -> bool:
    """Whether this asks for another database than the stack's."""
    asked = embedded_url(layout) if wanted == EMBEDDED else wanted
    return asked is not None and asked != database_url(layout)


def check_url(url: str) -> None:
    """Return if the URL names a database that can be used.

    Raises:
        CliError: it does not; the message does not repeat it, for it may hold a password.
    """
    try:
        driver = make_url(url).drivername
    except ArgumentError:
        driver = "none"
    if driver not in {"postgresql+psycopg", "sqlite+aiosqlite"}:
        raise CliError(
            f"the database URL cannot be used (its driver: {driver}): write "
            "postgresql+psycopg://<user>:<password>@<host>:<port>/<database>, or "
            f"{EMBEDDED} for the embedded database"
        )
