"""Targets sorted into shelves, so that a plan need not look at each of thousands to find its place.

A target changes its shelf a few times in its life; a plan is made several times a second. Whoever
keeps the targets may keep them sorted (:class:`Filed`); from any other collection the survey sorts
them itself.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import chain
from typing import NamedTuple

from hydracore_crds import RolloutTarget
from hydracore_crds.rollout_target import TargetState


class Shelf(NamedTuple):
    """What decides where a target stands, but for whether its rollout is the one that is there.

    Attributes:
        namespace: Its namespace.
        rollout: Name of its rollout.
        owners: Uids of its owners; where there are any, its rollout is among them.
        state: Its stored state; a target without status is queued.
        back: It takes back what another one has updated.
    """

    namespace: str
    rollout: str
    owners: tuple[str, ...]
    state: TargetState
    back: bool


class Filed(Collection[RolloutTarget]):
    """Targets that are sorted already."""

    def __init__(self, shelves: Mapping[Shelf, Collection[RolloutTarget]]) -> None:
        """Take the targets by shelf."""
        self.shelves = shelves

    def in_state(self, state: TargetState) -> Iterator[RolloutTarget]:
        """Yield those in a stored state."""
        shelves = self.shelves.items()
        return chain.from_iterable(found for shelf, found in shelves if shelf.state == state)

    def __iter__(self) -> Iterator[RolloutTarget]:
        return chain.from_iterable(self.shelves.values())

    def __len__(self) -> int:
        return sum(map(len, self.shelves.values()))

    def __contains__(self, target: object) -> bool:
        return any(target in shelf for shelf in self.shelves.values())


def shelf_of(target: RolloutTarget) -> Shelf:
    """Return where a target stands."""
    return Shelf(
        target.metadata.namespace or "",
        target.spec.rollout_name,
        tuple(owner.uid for owner in target.metadata.owner_references),
        target.status.state or "queued",
        target.spec.rollback_of is not None,
    )


def filed(targets: Iterable[RolloutTarget]) -> Filed:
    """Return targets sorted; those that are sorted already as they are."""
    if isinstance(targets, Filed):
        return targets
    shelves: dict[Shelf, list[RolloutTarget]] = {}
    for target in targets:
        shelves.setdefault(shelf_of(target), []).append(target)
    return Filed(shelves)
