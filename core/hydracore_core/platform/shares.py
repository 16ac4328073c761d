"""How the platform's slots are shared between tenants: max-min fair, in whole slots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hydracore_crds import PlatformPolicy


def platform_limit(platform: PlatformPolicy | None) -> int | None:
    """Return how many targets may be in flight over all tenants; None without a cap."""
    return platform.spec.max_parallel_rollouts if platform is not None else None


def shares(wants: Mapping[str, int], cap: int, order: Sequence[str]) -> dict[str, int]:
    """Divide ``cap`` slots.

    Nobody gets more than it wants, nothing is left while somebody wants more, and nobody could get
    more but at the cost of one that has no more than it. What cannot be divided evenly goes, one
    slot each, to those who come first in ``order``.

    Args:
        wants: How many slots each tenant could use now.
        cap: How many there are.
        order: The same tenants, first those who are to have what is left over.

    Returns:
        The share of each tenant; never more than ``cap`` together.
    """
    given = dict.fromkeys(wants, 0)
    hungry = [name for name in order if wants[name] > 0]
    left = cap
    while left > 0 and hungry:
        step = min(left // len(hungry), *(wants[name] - given[name] for name in hungry))
        if step == 0:
            for name in hungry[:left]:
                given[name] += 1
            break
        for name in hungry:
            given[name] += step
        left -= step * len(hungry)
        hungry = [name for name in hungry if given[name] < wants[name]]
    return given
