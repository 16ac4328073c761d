"""The agent's side of /agent/v1."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from hydracore_agent.errors import AgentError
from hydracore_agent.fields import FieldError, Fields

if TYPE_CHECKING:
    import httpx

MAX_ANSWER = 256 * 1024
SUCCESS = range(200, 300)
UNAUTHORIZED, FORBIDDEN, CONFLICT = 401, 403, 409

KEY_IS_OUT = (
    ": the agent's key was issued before and is given out only once. If its answer was lost on the "
    "way, delete the Instance and create it again; if it was not, someone else used the bootstrap "
    "token"
)


class UnreachableError(AgentError):
    """The control plane did not answer, or not in a way that can be read; try again later."""


class RefusedError(AgentError):
    """The control plane answered that it will not.

    Attributes:
        status: HTTP status.
    """

    def __init__(self, status: int, call: str, why: str = "") -> None:
        super().__init__(f"the control plane refused {call} with status {status}{why}")
        self.status = status


class ControlPlane:
    """Calls the API that the user data names."""

    def __init__(
        self, api_url: str, instance_id: str, connect: Callable[[str], httpx.AsyncClient]
    ) -> None:
        self._url = f"{api_url}/agent/v1"
        self._instance_id = instance_id
        self._connect = connect
        self._client: httpx.AsyncClient | None = None

    async def report_stage(
        self, token: str, *, stage: str, seq: int, level: str, message: str
    ) -> tuple[bool, int]:
        """Report a stage of the first boot; return whether it was news, and the highest seq known.

        Raises:
            UnreachableError, RefusedError: as they say.
        """
        body = {"stage": stage, "seq": seq, "level": level, "message": message}
        fields = await self._post("bootstrap", token, body)
        try:
            return fields.flag("accepted"), fields.integer("last_seq", 0, 2**53)
        except FieldError as error:
            raise UnreachableError(f"the control plane's answer is wrong: {error}") from error

    async def fetch_key(self, token: str, public_key: str) -> str:
        """Hand in the identity and return the agent's key, which is given out once.

        Raises:
            UnreachableError, RefusedError: as they say; 409 means that a key is out already.
        """
        try:
            fields = await self._post("secrets", token, {"public_key": public_key})
        except RefusedError as error:
            if error.status != CONFLICT:
                raise
            raise RefusedError(CONFLICT, "secrets", KEY_IS_OUT) from error
        try:
            return fields.text("agent_key", longest=512)
        except FieldError as error:
            raise UnreachableError(f"the control plane's answer is wrong: {error}") from error

    async def heartbeat(self, key: str, body: Mapping[str, Any]) -> Fields:
        """Send a heartbeat; return the answer.

        Raises:
            UnreachableError, RefusedError: as they say; 401 means that the key no longer counts.
        """
        return await self._post("heartbeat", key, body)

    def bundle_url(self, sha256: str) -> str:
        """Return where a bundle can be fetched."""
        return f"{self._url}/bundles/{sha256}"

    async def close(self) -> None:
        """Close the connection."""
        if self._client is not None:
            await self._client.aclose()

    async def _post(self, call: str, token: str, body: Mapping[str, Any]) -> Fields:
        import httpx  # noqa: PLC0415 - see net

        if self._client is None:
            self._client = self._connect(self._url)
        try:
            async with self._client.stream(
                "POST",
                f"{self._url}/{call}",
                json={"instance_id": self._instance_id, **body},
                headers={"Authorization": f"Bearer {token}"},
            ) as response:
                content = await _read(response)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            why = str(error) or type(error).__name__
            raise UnreachableError(
                f"the control plane cannot be reached ({call}): {why}"
            ) from error
        if response.status_code in range(400, 500) and response.status_code not in {408, 429}:
            raise RefusedError(response.status_code, call)
        if response.status_code not in SUCCESS:
            raise UnreachableError(f"the control plane answered {call} with {response.status_code}")
        try:
            return Fields(json.loads(content), call)
        except (FieldError, ValueError, RecursionError):
            raise UnreachableError(f"the control plane's answer to {call} is not JSON") from None


async def _read(response: httpx.Response) -> bytes:
    content = bytearray()
    async for chunk in response.aiter_bytes():
        content += chunk
        if len(content) > MAX_ANSWER:
            raise UnreachableError(f"the control plane's answer has over {MAX_ANSWER} bytes")
    return bytes(content)
