"""What kopf hands on to the stores, and what it need not."""

from __future__ import annotations

from typing import Any

import pytest

from hydracore_crds import Instance, ObjectMeta
from hydracore_crds.instance import InstanceSpec
from hydracore_kube import ObjectStore
from hydracore_operator.controller.handlers import build_registry


def _event(type_: str | None, version: str) -> dict[str, Any]:
    metadata = {"name": "a", "namespace": "n", "uid": "u", "resourceVersion": version}
    spec = {"className": "c", "regionId": "r"}
    return {"type": type_, "object": {"metadata": metadata, "spec": spec}}


@pytest.mark.parametrize(
    ("type_", "version", "news"),
    [
        ("MODIFIED", "5", False),
        ("ADDED", "5", False),
        (None, "5", False),
        ("MODIFIED", "6", True),
        ("DELETED", "5", True),
    ],
)
async def test_kopf_need_not_hand_on_what_is_in_the_store(
    type_: str | None, version: str, *, news: bool
) -> None:
    store, seen = ObjectStore(Instance), []
    meta = ObjectMeta(name="a", namespace="n", uid="u", resource_version="5")
    store.upsert(Instance(metadata=meta, spec=InstanceSpec(class_name="c", region_id="r")))
    [handler] = build_registry([store], seen=seen.append)._watching.get_all_handlers()
    event = _event(type_, version)
    assert handler.when is not None
    assert handler.when(event=event) is news
    assert seen == [Instance], "also an echo is a sign of life"
    if news:
        await handler.fn(event=event)
        found = store.get("n/a")
        assert (found.metadata.resource_version if found else None) == (
            None if type_ == "DELETED" else version
        )
