"""What one operator is told of the cluster: late, in part, twice, or by a list."""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hydracore_kube import ObjectStore
from tests.operator.rollouts.model.line import Line

if TYPE_CHECKING:
    from tests.operator.rollouts.model.server import Server

WATCH_SECONDS = 0.02
"""How late a watch that is well tells."""


@dataclass(frozen=True)
class News:
    """One change as the API server made it; ``number`` counts all of them."""

    number: int
    event: str
    obj: Any


class Feed:
    """The watches of one operator.

    Attributes:
        lag: How late each kind is told, in seconds, by plural.
        deaf: Kinds whose events are lost, by plural, until the next list.
        told: By object, the number of the last change that was told.
    """

    def __init__(self, server: Server, stores: dict[str, ObjectStore[Any]], line: Line) -> None:
        self._server, self._stores, self._line = server, stores, line
        self.lag: defaultdict[str, float] = defaultdict(lambda: WATCH_SECONDS)
        self.deaf: set[str] = set()
        self.told: dict[tuple[str, str], int] = {}
        self._coming: dict[str, deque[tuple[float, News]]] = defaultdict(deque)
        self._past: deque[News] = deque(maxlen=20)
        self._before: deque[tuple[float, tuple[str, str], int]] = deque(maxlen=200)
        self._closed = False

    def take(self, news: News) -> None:
        """Have an event told in its time, unless it is lost."""
        plural = news.obj.KIND.plural
        if plural not in self._stores or plural in self.deaf or self._closed:
            return
        loop, coming = asyncio.get_running_loop(), self._coming[plural]
        due = loop.time() + self.lag[plural]
        due = max(due, coming[-1][0]) if coming else due
        coming.append((due, news))
        loop.call_at(due, self._tell, plural)

    def thawed(self) -> None:
        """Tell what came while the process was frozen."""
        for plural in self._stores:
            self._tell(plural)

    def relist(self) -> None:
        """Have every kind told as it is."""
        for plural, store in self._stores.items():
            self.deaf.discard(plural)
            self.lag.pop(plural, None)
            self._coming[plural].clear()
            found = [obj for obj in self._server.objects.values() if obj.KIND.plural == plural]
            number = self._server.number
            for key in self._server.versions:
                if key[0] == plural:
                    now = asyncio.get_running_loop().time()
                    self._before.append((now, key, self.told.get(key, 0)))
                    self.told[key] = number
            store.replace(found, self._server.version())

    def repeat(self) -> None:
        """Tell the latest events again, as a watch does that begins anew from before them."""
        for news in list(self._past):
            self._stores[news.obj.KIND.plural].apply(news.event, news.obj)

    def close(self) -> None:
        self._closed = True

    def known(self, key: tuple[str, str], *, grace: float = 0.0) -> list[Any]:
        """Return all versions of an object that may be the newest it has heard of; None: absent.

        It knows at least what it was told ``grace`` seconds ago, and at most what is.
        """
        since = asyncio.get_running_loop().time() - grace
        lately = [number for at, of, number in self._before if of == key and at >= since]
        told = min([*lately, self.told.get(key, 0)]) if grace else self.told.get(key, 0)
        found: list[Any] = []
        for news in reversed(self._server.versions.get(key, ())):
            found.append(None if news.event == "DELETED" else news.obj)
            if news.number <= told:
                return found
        return [*found, None]

    def _tell(self, plural: str) -> None:
        if self._line.frozen or self._closed:
            return
        coming, now = self._coming[plural], asyncio.get_running_loop().time()
        while coming and coming[0][0] <= now:
            news = coming.popleft()[1]
            key = (plural, news.obj.key)
            self._before.append((now, key, self.told.get(key, 0)))
            self.told[key] = news.number
            self._past.append(news)
            self._stores[plural].apply(news.event, news.obj)
