"""A caller of the REST API, as any customer's program would be."""

from __future__ import annotations

import json
from typing import Any

import httpx

from hydracore_cli.errors import CliError

TIMEOUT_SECONDS = 30.0
_REFUSED = 400


class Rest:
    """Calls the API with one key."""

    def __init__(self, base_url: str, api_key: str) -> None:
        """Prepare; nothing is sent."""
        self._client = httpx.AsyncClient(
            base_url=base_url,
            headers={"X-Api-Key": api_key},
            timeout=TIMEOUT_SECONDS,
            trust_env=False,
        )

    async def close(self) -> None:
        """Close all connections."""
        await self._client.aclose()

    async def get(self, path: str) -> Any:
        """GET and return the JSON."""
        return await self._json("GET", path)

    async def post(self, path: str, body: dict[str, Any] | None = None) -> Any:
        """POST and return the JSON."""
        return await self._json("POST", path, body)

    async def delete(self, path: str) -> Any:
        """DELETE and return the JSON."""
        return await self._json("DELETE", path)

    async def status_of(self, path: str) -> int:
        """GET and return only the HTTP status."""
        return (await self._send("GET", path, None)).status_code

    async def chat(self, instance_id: str, message: str) -> tuple[str, dict[str, Any]]:
        """Chat over server-sent events; return the whole text and the data of the last event.

        Raises:
            CliError: refused, or the stream ended with an error or without an end.
        """
        path = f"/v1/instances/{instance_id}/chat"
        text, event = "", ""
        try:
            async with self._client.stream("POST", path, json={"message": message}) as response:
                if response.status_code >= _REFUSED:
                    await response.aread()
                    raise CliError(_refusal("POST", path, response))
                async for line in response.aiter_lines():
                    if line.startswith("event:"):
                        event = line.removeprefix("event:").strip()
                    elif line.startswith("data:"):
                        data = json.loads(line.removeprefix("data:"))
                        if event == "token":
                            text += data["text"]
                        elif event == "error":
                            raise CliError(f"the agent's chat ended with: {data.get('message')}")
                        elif event == "done":
                            return text, data
        except httpx.HTTPError as error:
            raise CliError(f"POST {path}: {type(error).__name__}: {error}") from error
        raise CliError(f"POST {path}: the stream ended before the answer did")

    async def _json(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        response = await self._send(method, path, body)
        if response.status_code >= _REFUSED:
            raise CliError(_refusal(method, path, response))
        return response.json()

    async def _send(self, method: str, path: str, body: dict[str, Any] | None) -> httpx.Response:
        try:
            return await self._client.request(method, path, json=body)
        except httpx.HTTPError as error:
            raise CliError(f"{method} {path}: {type(error).__name__}: {error}") from error


def _refusal(method: str, path: str, response: httpx.Response) -> str:
    return f"{method} {path} was refused with {response.status_code}: {response.text[:500]}"
