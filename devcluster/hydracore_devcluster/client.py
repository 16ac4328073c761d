"""A small client of the API server for what the dev cluster does itself: apply, wait, tokens."""

from __future__ import annotations

import json
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import aiohttp
from kubernetes.aio.client import ApiClient, Configuration
from kubernetes.aio.config import ConfigException, load_kube_config

from hydracore_devcluster.errors import BrokenKubeconfigError

_LOOPBACK_HOSTS = {"127.0.0.1", "::1", "localhost"}
_CONNECTIONS = 16


class ApiError(Exception):
    """The API server answered with an error."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class ApiUnreachableError(Exception):
    """The API server did not answer."""


class Api:
    """Raw JSON requests with the credentials of a kubeconfig."""

    def __init__(self, client: ApiClient, host: str, timeout_seconds: float) -> None:
        self._client = client
        self._host = host
        self._timeout = timeout_seconds

    @classmethod
    async def connect(cls, kubeconfig: Path, *, timeout_seconds: float = 10) -> Self:
        """Load the kubeconfig; nothing is sent yet.

        Raises:
            BrokenKubeconfigError: The credentials cannot be used.
        """
        configuration = Configuration()
        try:
            await load_kube_config(  # type: ignore[no-untyped-call]
                str(kubeconfig), client_configuration=configuration, persist_config=False
            )
            configuration.connection_pool_maxsize = _CONNECTIONS
            configuration.retries = None
            if urlsplit(configuration.host).hostname in _LOOPBACK_HOSTS:
                # A proxy of the environment cannot reach this machine's loopback.
                configuration.client_session_kwargs = {"trust_env": False}
            client = ApiClient(configuration)
        except (ConfigException, OSError, ValueError, TypeError) as error:
            raise BrokenKubeconfigError(kubeconfig, str(error) or type(error).__name__) from error
        return cls(client, configuration.host.rstrip("/"), timeout_seconds)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._client.close()  # type: ignore[no-untyped-call]

    async def text(
        self, method: str, path: str, body: Any = None, *, content_type: str = "application/json"
    ) -> str:
        """Send a request and return the answer's text.

        Args:
            method: HTTP method.
            path: Path with query, from ``/``.
            body: Something that JSON can say, or None.
            content_type: Of the body.

        Raises:
            ApiError: The server refused; the message is the server's.
            ApiUnreachableError: No answer within the time.
        """
        config = self._client.configuration
        headers = {"Accept": "application/json", "Content-Type": content_type}
        token = await config.get_api_key_with_prefix("BearerToken")
        if token:
            headers["Authorization"] = token
        try:
            response = await self._client.rest_client.request(  # type: ignore[no-untyped-call]
                method,
                self._host + path,
                headers=headers,
                body=body,
                _request_timeout=self._timeout,
            )
            raw = await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            reason = str(error) or type(error).__name__
            raise ApiUnreachableError(f"{self._host} does not answer: {reason}") from error
        text = bytes(raw).decode(errors="replace")
        if response.status >= 400:  # noqa: PLR2004 - HTTP's own bound
            raise ApiError(response.status, _message(text))
        return text

    async def json(
        self, method: str, path: str, body: Any = None, *, content_type: str = "application/json"
    ) -> dict[str, Any]:
        """Send a request and return the answer's JSON object; raises as :meth:`text` does."""
        found: dict[str, Any] = json.loads(
            await self.text(method, path, body, content_type=content_type)
        )
        return found


def _message(text: str) -> str:
    try:
        found = json.loads(text)
    except ValueError:
        return text.strip()[:500]
    return str(found.get("message", text))[:2000] if isinstance(found, dict) else text[:500]
