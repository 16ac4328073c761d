"""kopf's handlers: one per kind, each puts the event into its store and does nothing else.

What follows from a change is decided by whoever subscribed to the store (see ``wiring``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import kopf

from hydracore_crds import Resource
from hydracore_kube import ObjectStore
from hydracore_kube.client import try_parse


class NoProgress(kopf.ProgressStorage):
    """Stores nothing on objects: event handlers have no progress to keep."""

    def fetch(self, **_: Any) -> None:
        """There is never any progress."""

    def store(self, **_: Any) -> None:
        """Keep nothing."""

    def purge(self, **_: Any) -> None:
        """Nothing is there to remove."""

    def touch(self, **_: Any) -> None:
        """Write nothing."""

    def clear(self, *, essence: Any) -> Any:
        """Return the essence as it is."""
        return essence


class NoDiffBase(kopf.DiffBaseStorage):
    """Remembers no last-handled state: nothing here works on differences."""

    def build(self, **_: Any) -> Any:
        """Return nothing to compare (the default copies every object in depth)."""
        return {}

    def fetch(self, **_: Any) -> None:
        """There is never an older state."""

    def store(self, **_: Any) -> None:
        """Keep nothing."""


def build_registry(
    stores: Iterable[ObjectStore[Any]], *, seen: Callable[[type[Resource]], None]
) -> kopf.OperatorRegistry:
    """Return kopf's registry with one event handler per store.

    Args:
        stores: Where events go.
        seen: Called with the kind at each event, as a sign of life of its watch.
    """
    registry = kopf.OperatorRegistry()
    for store in stores:
        _register(registry, store, seen)
    return registry


def _register(
    registry: kopf.OperatorRegistry,
    store: ObjectStore[Any],
    seen: Callable[[type[Resource]], None],
) -> None:
    kind = store.kind
    group, _, version = str(kind.model_fields["api_version"].default).rpartition("/")

    def is_news(event: Any, **_: Any) -> bool:
        """Whether it is more than the echo of a write whose answer is in the store already.

        kopf asks before it sets about calling a handler, which costs more than all else here.
        """
        seen(kind)
        if event["type"] == "DELETED":
            return True
        return store.held(event["object"].get("metadata") or {}) is None

    async def feed(event: Any, **_: Any) -> None:
        obj = try_parse(kind, event["object"])
        if obj is not None:
            store.apply(event["type"], obj)

    kopf.on.event(
        group,
        version,
        kind.KIND.plural,
        id=f"feed-{kind.KIND.plural}",
        when=is_news,
        registry=registry,
    )(feed)
