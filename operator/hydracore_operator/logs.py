"""Logging: structured, on standard error, secrets masked; kopf's and asyncio's go the same way."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO

import structlog

MASK = "***"
_SECRET_NAME = re.compile(
    r"token|secret|password|passwd|authorization|private_?key|api_?key|agent_key|user_data",
    re.IGNORECASE,
)
_SECRET_TEXT = re.compile(
    r"\bhc[ab]_[\w-]{8,}|\bhc_live_[\w-]{8,}"  # bootstrap tokens, agent keys, API keys
    r"|\beyJ[\w-]+\.[\w-]+\.[\w-]+"  # JWTs
    r"|(?i:bearer\s+)\S+"
    r"|(?<=://)[^/\s:@]+:[^/\s@]+(?=@)"  # user:password in URLs
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)",
    re.DOTALL,
)


def mask(value: Any) -> Any:
    """Return ``value`` with everything that looks like a secret replaced."""
    if isinstance(value, str):
        return _SECRET_TEXT.sub(MASK, value)
    if isinstance(value, dict):
        return {
            k: MASK if isinstance(k, str) and _SECRET_NAME.search(k) else mask(v)
            for k, v in value.items()
        }
    if isinstance(value, list | tuple):
        return [mask(v) for v in value]
    return value


def mask_event(
    _logger: Any, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Structlog processor: mask values by their names and by their looks."""
    for key, value in event.items():
        named = _SECRET_NAME.search(key) is not None and isinstance(value, str | bytes)
        event[key] = MASK if named else mask(value)
    return event


class _Stderr(logging.StreamHandler[TextIO]):
    """Our handler, told apart from others' so that configuring twice does not log twice."""


def configure_logs(format_: str, level: str) -> None:
    """Send all logs of the process to standard error.

    Args:
        format_: ``console`` for people, ``json`` for collectors (one object a line).
        level: Lowest level that is written.
    """
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        mask_event,
    ]
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if format_ == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = _Stderr(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.ExtraAdder(), *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    for older in [h for h in root.handlers if isinstance(h, _Stderr)]:
        root.removeHandler(older)
    root.addHandler(handler)
    root.setLevel(level)
    for noisy in ("kopf", "aiohttp", "alembic", "asyncio"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, root.level))
