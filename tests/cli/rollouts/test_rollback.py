"""Taking back by the command line."""

from __future__ import annotations

from typing import Any, cast

import pytest

from hydracore_cli.errors import CliError
from hydracore_cli.rollouts.rollback import rollback
from hydracore_crds.names import ROLLBACK_ANNOTATION, ROLLED_BACK_BY_ANNOTATION
from tests.operator.rollouts import builders
from tests.operator.rollouts.fakes import FakeKube


class Kube(FakeKube):
    """An API server that also knows who asks."""

    async def create_raw(self, place: Any, body: dict[str, Any]) -> dict[str, Any]:
        if body["kind"] == "SelfSubjectReview":
            return {"status": {"userInfo": {"username": "ada"}}}
        return await super().create_raw(place, body)

    async def patch(self, kind: Any, name: str, namespace: str | None, body: dict[str, Any]) -> Any:
        found = await self.get(kind, name, namespace)
        assert body["metadata"]["resourceVersion"] == found.metadata.resource_version
        return self.annotate(found, **body["metadata"]["annotations"])


async def test_it_is_asked_for_once_in_the_callers_name() -> None:
    kube = Kube()
    rollout = kube.put(builders.rollout())
    said = await rollback(cast("Any", kube), "acme", rollout.metadata.name)
    assert said.startswith("to-110 takes back what it has updated, newest first")
    notes = kube.current(rollout).metadata.annotations
    assert (notes[ROLLBACK_ANNOTATION], notes[ROLLED_BACK_BY_ANNOTATION]) == ("true", "ada")
    version = kube.current(rollout).metadata.resource_version
    assert "nothing to do" in await rollback(cast("Any", kube), "acme", rollout.metadata.name)
    assert kube.current(rollout).metadata.resource_version == version


async def test_a_rollout_that_is_not_there_is_named() -> None:
    with pytest.raises(CliError, match="there is no Rollout nobody in namespace acme"):
        await rollback(cast("Any", Kube()), "acme", "nobody")
