"""Logging: one line per event on standard error."""

from __future__ import annotations

import logging
import re
import sys

SECRET = re.compile(
    r"hc[ab]_[A-Za-z0-9_\-]{4,}"
    r"|eyJ[A-Za-z0-9_\-]{8,}\.[A-Za-z0-9_\-.]+"
    r"|(?<=[?&])X-Amz-[A-Za-z-]+=[^&\s\"'>]+"
)
"""Keys of ours, signed tokens, and what makes a URL a signed one."""


def redact(text: str) -> str:
    """Return the text with anything that looks like a key or token blanked."""
    return SECRET.sub("[secret]", text)


class _Formatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record))


def log_to_stderr() -> None:
    """Send the log of this process to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.INFO)
    for noisy in ("httpx", "httpcore", "asyncio", "uvicorn"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
