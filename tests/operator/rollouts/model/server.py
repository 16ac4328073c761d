"""The API server, with a memory: every version of every object, and who wrote it."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable
from datetime import datetime
from typing import Any, Protocol, TypeVar

from hydracore_crds import Resource, Rollout, RolloutTarget
from tests.operator.rollouts.fakes import FakeKube
from tests.operator.rollouts.model.feed import Feed, News
from tests.operator.rollouts.model.line import CALLER

R = TypeVar("R", bound=Resource)
COLLECTED_AFTER = 1.0
"""Seconds until the garbage collector removes what a vanished object owned."""


class Witness(Protocol):
    """Who is told of every write as it happens."""

    def stored(self, old: Any, new: Any, by: str) -> None:
        """Take in that an object changed; None is absence."""

    def slots_stored(self, old: dict[str, str], new: dict[str, str], by: str) -> None:
        """Take in that the ledger changed."""


class Server(FakeKube):
    """FakeKube with its history.

    Attributes:
        versions: Every version of every object, by plural and key.
        number: How many changes there were.
        feeds: Whom it tells.
    """

    def __init__(
        self, now: Callable[[], datetime], new_id: Callable[[], str], witness: Witness
    ) -> None:
        super().__init__()
        self._now, self._new_id, self._witness = now, new_id, witness
        self.versions: defaultdict[tuple[str, str], list[News]] = defaultdict(list)
        self.number = 0
        self.feeds: list[Feed] = []

    def version(self) -> str:
        """Return a resourceVersion newer than all objects."""
        return str(next(self._versions))

    def put(self, obj: R) -> R:
        metadata = obj.metadata
        given = {
            "uid": metadata.uid or self._new_id(),
            "creation_timestamp": metadata.creation_timestamp or self._now(),
        }
        return super().put(obj.model_copy(update={"metadata": metadata.model_copy(update=given)}))

    def meddle(self) -> None:
        """Change everything a little, as a second writer does, so that others have conflicts."""
        for obj in [o for o in self.objects.values() if isinstance(o, Rollout | RolloutTarget)]:
            self.annotate(obj, scribble=str(self.number))
        for key, found in list(self.raw.items()):
            self._store_raw(key, found)

    def _store_raw(self, key: tuple[str, str], body: dict[str, Any]) -> dict[str, Any]:
        old = dict(self.raw.get(key, {}).get("data") or {})
        stored = super()._store_raw(key, body)
        self._witness.slots_stored(old, dict(stored.get("data") or {}), CALLER.get())
        return stored

    def _tell(self, event: str, obj: Any) -> None:
        self.number += 1
        past = self.versions[self._key(obj)]
        old = past[-1].obj if past and past[-1].event != "DELETED" else None
        news = News(self.number, event, obj)
        past.append(news)
        self._witness.stored(old, None if event == "DELETED" else obj, CALLER.get())
        for feed in self.feeds:
            feed.take(news)
        if event == "DELETED" and isinstance(obj, Rollout):
            asyncio.get_running_loop().call_later(COLLECTED_AFTER, self._collect, obj.metadata.uid)

    def _collect(self, uid: str) -> None:
        for target in self.of(RolloutTarget):
            if any(owner.uid == uid for owner in target.metadata.owner_references):
                self.remove(target)
