from __future__ import annotations

from hydracore_core.platform.change import author, change_body, set_by
from hydracore_crds import PlatformPolicy
from tests.core.rollouts.builders import NOW, platform


def stored(policy: PlatformPolicy, generation: int = 3, **annotations: str) -> PlatformPolicy:
    known = {"uid": "u", "resource_version": "9", "generation": generation}
    metadata = policy.metadata.model_copy(update={**known, "annotations": annotations})
    return policy.model_copy(update={"metadata": metadata})


def test_it_takes_away_what_is_not_wanted_any_more() -> None:
    body = change_body(stored(platform("a", NOW, limit=3)), platform("b").spec, "ops")
    assert body == {
        "metadata": {
            "uid": "u",
            "resourceVersion": "9",
            "annotations": {"hydracore.io/set-by": "4 ops"},
        },
        "spec": {"freeze": {"reason": "b", "until": None}, "maxParallelRollouts": None},
    }


def test_what_is_so_already_needs_no_patch() -> None:
    assert change_body(stored(platform("a", NOW)), platform("a", NOW).spec, "ops") is None


def test_without_an_actor_no_annotation_is_touched() -> None:
    body = change_body(stored(platform("a")), platform().spec, None)
    assert body is not None
    assert "annotations" not in body["metadata"]


def test_an_author_counts_for_the_generation_that_they_made() -> None:
    assert author(stored(platform(), 4, **set_by("ops", 4))) == "ops"
    assert author(stored(platform(), 5, **set_by("ops", 4))) is None
    assert author(stored(platform(), 4)) is None
