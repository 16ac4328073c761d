"""Who answers: the first provider whose breaker is closed and that can, else the offline model."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from hydracore_agent.chat.breaker import Breakers
from hydracore_agent.chat.conversations import Message
from hydracore_agent.chat.model import OfflineModel
from hydracore_agent.chat.remote import ModelError, RemoteModel

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Author:
    """Who answered; right once the answer has begun."""

    name: str = "offline"
    offline: bool = True


class Chain:
    """Tries the providers in their order; a failed one is noted by its breaker."""

    def __init__(
        self, remotes: Sequence[RemoteModel], offline: OfflineModel, breakers: Breakers
    ) -> None:
        self._remotes = remotes
        self._offline = offline
        self._breakers = breakers

    async def answer(
        self, history: Sequence[Message], message: str, author: Author
    ) -> AsyncIterator[str]:
        """Yield the answer in pieces, and fill in who gives it.

        Raises:
            ModelError: the provider failed after its answer had begun.
        """
        for remote in self._remotes:
            if not self._breakers.of(remote.provider.name).admits():
                continue
            begun = False
            try:
                async for piece in self._ask(remote, history, message):
                    begun, author.name, author.offline = True, remote.provider.model, False
                    yield piece
            except ModelError as error:
                log.warning("model provider %s: %s", remote.provider.name, error)
                if begun:
                    raise
            else:
                return
        author.name, author.offline = self._offline.name, True
        async for piece in self._offline.answer(history, message):
            yield piece

    async def _ask(
        self, remote: RemoteModel, history: Sequence[Message], message: str
    ) -> AsyncIterator[str]:
        breaker = self._breakers.of(remote.provider.name)
        ended = False
        try:
            async for piece in remote.answer(history, message):
                yield piece
            breaker.succeeded()
            ended = True
        except ModelError as error:
            ended = True
            if error.blameless:
                breaker.gave_up()
            else:
                breaker.failed(str(error))
            raise
        finally:
            if not ended:
                breaker.gave_up()  # the reader went away
