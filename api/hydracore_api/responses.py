"""The error responses that whole groups of routes share."""

from __future__ import annotations

from typing import Any

from hydracore_api.errors import (
    Forbidden,
    ServiceUnavailable,
    Timeout,
    TooLarge,
    Unauthenticated,
    responses,
)

V1: dict[int | str, dict[str, Any]] = responses(Unauthenticated, Forbidden, ServiceUnavailable)
"""Every route of ``/v1``; 422 is described by FastAPI itself."""

WITH_BODY: dict[int | str, dict[str, Any]] = responses(Timeout, TooLarge)
"""Routes that read a body."""
