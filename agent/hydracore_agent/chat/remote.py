"""A language model behind an OpenAI-compatible endpoint (``POST /chat/completions``, streamed)."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Sequence
from typing import TYPE_CHECKING, Any

from hydracore_agent.chat.conversations import Message
from hydracore_agent.errors import AgentError
from hydracore_agent.settings import LlmProvider

if TYPE_CHECKING:
    import httpx

MAX_ANSWER = 64 * 1024
MAX_LINE = 256 * 1024
REMEMBERED = 40
"""Messages of the conversation that go along."""
BLAMELESS = frozenset({400, 404, 413, 422})
"""Statuses that say something about the request, and nothing about the provider's health."""


class ModelError(AgentError):
    """The model did not answer.

    Attributes:
        blameless: The provider may be well: it refused this one request.
    """

    def __init__(self, message: str, *, blameless: bool = False) -> None:
        super().__init__(message)
        self.blameless = blameless


class RemoteModel:
    """Asks one provider."""

    def __init__(
        self, provider: LlmProvider, system: Callable[[], str], connect: Callable[[], Any]
    ) -> None:
        """Take the provider, the system prompt, and what makes an HTTP client."""
        self.provider = provider
        self._system = system
        self._connect = connect

    async def answer(self, history: Sequence[Message], message: str) -> AsyncIterator[str]:
        """Yield the answer in pieces.

        Raises:
            ModelError: it did not answer, or not to the end.
        """
        import httpx  # noqa: PLC0415 - a tenth of a second that the start-up need not wait for

        url = f"{self.provider.base_url}/chat/completions"
        body = {
            "model": self.provider.model,
            "stream": True,
            "messages": self._messages(history, message),
        }
        key = self.provider.api_key
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        try:
            async with (
                self._connect() as client,
                client.stream("POST", url, json=body, headers=headers) as response,
            ):
                if response.status_code != httpx.codes.OK:
                    status = response.status_code
                    raise ModelError(f"status {status}", blameless=status in BLAMELESS)
                async for piece in _pieces(response):
                    yield piece
        except httpx.HTTPError as error:
            raise ModelError(type(error).__name__) from error

    def _messages(self, history: Sequence[Message], message: str) -> list[dict[str, str]]:
        said = [{"role": one.role, "content": one.text} for one in history[-REMEMBERED:]]
        system = {"role": "system", "content": self._system()}
        return [system, *said, {"role": "user", "content": message}]


async def _pieces(response: httpx.Response) -> AsyncIterator[str]:
    total, line = 0, ""
    async for chunk in response.aiter_text():
        *lines, line = (line + chunk).split("\n")
        if len(line) > MAX_LINE:
            raise ModelError("a line of its answer is too long")
        for one in lines:
            data = one.strip().removeprefix("data:").strip()
            if not one.startswith("data:") or not data:
                continue
            if data == "[DONE]":
                return
            piece = _text(data)
            total += len(piece)
            if total > MAX_ANSWER:
                raise ModelError("its answer is too long")
            if piece:
                yield piece
    raise ModelError("its answer broke off")


def _text(data: str) -> str:
    try:
        event = json.loads(data)
        choices = event["choices"]
        return str(choices[0]["delta"].get("content") or "") if choices else ""
    except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise ModelError("its answer is no chat completion") from error
