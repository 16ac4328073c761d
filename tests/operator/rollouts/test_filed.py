"""The store of targets keeps them on their shelves, through every change."""

from __future__ import annotations

from hydracore_core.rollouts.filing import Shelf, filed
from hydracore_crds import RolloutTarget
from hydracore_crds.rollout_target import RolloutTargetStatus
from hydracore_operator.context import Stores
from hydracore_operator.rollouts.filed import targets_of
from tests.core.rollouts.builders import NAMESPACE, instance, rollout, target


def _stored(stores: Stores, found: RolloutTarget, version: int, **status: object) -> RolloutTarget:
    changed = found.model_copy(
        update={
            "metadata": found.metadata.model_copy(update={"resource_version": str(version)}),
            "status": RolloutTargetStatus.model_validate(status),
        }
    )
    stores.targets.upsert(changed)
    return changed


def _shelves(stores: Stores) -> dict[Shelf, list[str]]:
    shelves = targets_of(stores, NAMESPACE).shelves
    return {shelf: sorted(t.metadata.name for t in found) for shelf, found in shelves.items()}


def test_a_target_moves_with_its_state_and_goes_with_its_object() -> None:
    stores, owner = Stores(), rollout()
    targets = [target(owner, instance(f"a-{n}"), n) for n in range(3)]
    for number, found in enumerate(targets):
        targets[number] = _stored(stores, found, number + 1)
    _stored(stores, targets[1], 10, state="in_progress")
    _stored(stores, targets[2], 11, state="in_progress")
    _stored(stores, targets[2], 12, state="succeeded")
    states = {shelf.state: names for shelf, names in _shelves(stores).items()}
    assert states == {
        "queued": ["r1-00000"],
        "in_progress": ["r1-00001"],
        "succeeded": ["r1-00002"],
    }
    stores.targets.remove(targets[1].key, targets[1].metadata.uid)
    assert "in_progress" not in {shelf.state for shelf in _shelves(stores)}
    found = targets_of(stores, NAMESPACE)
    assert found.shelves.keys() == filed(stores.targets.all()).shelves.keys()


def test_other_tenants_are_left_out() -> None:
    stores = Stores()
    mine = target(rollout(), instance("a"))
    theirs = mine.model_copy(
        update={"metadata": mine.metadata.model_copy(update={"namespace": "b", "uid": "other"})}
    )
    stores.targets.upsert(mine)
    stores.targets.upsert(theirs)
    assert list(targets_of(stores, NAMESPACE)) == [mine]
