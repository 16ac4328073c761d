"""``/internal``: only with the ops token; everything else is 401, unknown paths too."""

from __future__ import annotations

import hmac

from fastapi.security import HTTPBearer
from pydantic import SecretStr
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from hydracore_api.errors import Unauthenticated, answer

PREFIX = "/internal"
ops_token = HTTPBearer(
    auto_error=False, scheme_name="OpsToken", description="The token of those who run the platform."
)
"""For the document only: the guard has decided before a route is looked for."""


class InternalGuard:
    """ASGI middleware in front of ``/internal``."""

    def __init__(self, app: ASGIApp, *, token: SecretStr) -> None:
        self.app = app
        self._token = token.get_secret_value().encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request pass if it is none of ours or carries the token."""
        if scope["type"] != "http" or not _internal(scope["path"]):
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        kind, _, given = headers.get("authorization", "").partition(" ")
        right = hmac.compare_digest(given.strip().encode(), self._token)
        if kind.lower() == "bearer" and self._token and right:
            await self.app(scope, receive, send)
            return
        refusal = answer(401, "Unauthorized", Unauthenticated.headers)
        await refusal(scope, receive, send)


def _internal(path: str) -> bool:
    return path == PREFIX or path.startswith(PREFIX + "/")
