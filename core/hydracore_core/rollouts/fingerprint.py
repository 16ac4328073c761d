"""The fingerprint of a plan: what is delivered to whom, in which order and waves.

The same from REST, from kubectl and from a preview, as long as nothing has changed in between. An
approval names it, so that nobody approves another plan than the one they saw.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable

from hydracore_crds import RolloutTarget
from hydracore_crds.rollout import PinnedArtifact, RolloutSpec

LENGTH = 12
"""Hexadecimal digits: short enough to be typed; it guards against mistakes, not against people."""

Place = tuple[int, int, str]
"""Wave, order, and the instance's id."""


def fingerprint(spec: RolloutSpec, artifact: PinnedArtifact, places: Iterable[Place]) -> str:
    """Return the plan's fingerprint.

    Args:
        spec: The rollout; its strategy counts. A field at its default counts as absent, so that a
            later version that adds one finds the same fingerprint.
        artifact: What is delivered; its digest counts.
        places: Every target's place, in any order.
    """
    strategy = spec.strategy.model_dump(
        mode="json", by_alias=True, exclude_none=True, exclude_defaults=True
    )
    facts = [artifact.sha256, strategy, sorted(places)]
    text = json.dumps(facts, separators=(",", ":"), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:LENGTH]


def place_of(target: RolloutTarget) -> Place:
    """Return the place of a target that is there."""
    return target.spec.wave, target.spec.order, target.spec.instance_id
