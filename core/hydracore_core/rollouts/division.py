"""Which wave a target belongs to. Pure; the plan and previews ask the same.

Waves with a selector take the instances that carry its labels, wherever they stand in the list;
the others are filled one after the other, by name; what is left is one more wave at the end.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence

from hydracore_crds import Instance
from hydracore_crds.rollout import Wave, WaveStatus


def divide(
    waves: Sequence[Wave],
    chosen: Mapping[str, Instance],
    existing: Mapping[str, int],
    kept: Sequence[WaveStatus] | None,
) -> dict[str, int]:
    """Return the number of its wave, from 1, for every instance.

    Args:
        waves: The strategy's waves; without any all are of the first.
        chosen: The instances that are to get a target, by name.
        existing: The waves of targets that are there, by the name of their instance. They stay.
        kept: The waves as they were pinned; None before that.
    """
    found = dict(existing)
    taken = Counter(existing.values())
    room = _room(waves, kept, len(chosen))
    last = len(kept) if kept else len(waves) + 1
    for name in sorted(chosen.keys() - existing.keys()):
        number = _by_label(waves, chosen[name])
        if number is None:
            free = (n for n, size in enumerate(room, start=1) if taken[n] < size)
            number = next(free, last)
        found[name] = number
        taken[number] += 1
    return found


def planned(waves: Sequence[Wave], numbers: Mapping[str, int]) -> tuple[WaveStatus, ...] | None:
    """Return the waves as a rollout's status keeps them; None where the strategy has none.

    Args:
        waves: The strategy's waves.
        numbers: What :func:`divide` found.
    """
    if not waves:
        return None
    sizes = Counter(numbers.values())
    named = [WaveStatus(name=w.name, planned=sizes[n]) for n, w in enumerate(waves, start=1)]
    rest = sizes[len(waves) + 1]
    return (*named, WaveStatus(planned=rest)) if rest else tuple(named)


def _room(waves: Sequence[Wave], kept: Sequence[WaveStatus] | None, total: int) -> list[int]:
    """Return how many each wave takes that has no selector; 0 for the others."""
    if kept is None:
        return [0 if wave.selector is not None else _size(wave, total) for wave in waves]
    pairs = zip(waves, kept, strict=False)
    return [0 if wave.selector is not None else status.planned for wave, status in pairs]


def _size(wave: Wave, total: int) -> int:
    if wave.percent is not None:
        return math.ceil(total * wave.percent / 100)
    return wave.count or 0


def _by_label(waves: Sequence[Wave], instance: Instance) -> int | None:
    for number, wave in enumerate(waves, start=1):
        if wave.selector is not None and wave.selector.matches(instance.metadata.labels):
            return number
    return None
