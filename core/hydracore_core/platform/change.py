"""How the platform's policy is changed, and who says so: the same for REST and command line."""

from __future__ import annotations

from typing import Any

from hydracore_crds import PlatformPolicy
from hydracore_crds.names import SET_BY_ANNOTATION
from hydracore_crds.platform_policy import PlatformPolicySpec


def change_body(
    stored: PlatformPolicy, wanted: PlatformPolicySpec, actor: str | None
) -> dict[str, Any] | None:
    """Return the merge patch that makes ``wanted`` the spec of the very object that was read.

    Args:
        stored: The policy as it was read.
        wanted: The whole spec that it shall have.
        actor: Who sets it, where that is to stand on the object.

    Returns:
        The patch, with uid and resourceVersion as its preconditions; None where nothing differs.
    """
    if stored.spec == wanted:
        return None
    metadata: dict[str, Any] = {
        "uid": stored.metadata.uid,
        "resourceVersion": stored.metadata.resource_version,
    }
    if actor is not None:
        metadata["annotations"] = set_by(actor, stored.metadata.generation + 1)
    # What is null in a merge patch is taken away.
    spec: dict[str, Any] = {"freeze": None, "maxParallelRollouts": None, **wanted.to_wire()}
    if wanted.freeze is not None:
        spec["freeze"] = {"until": None, **wanted.freeze.to_wire()}
    return {"metadata": metadata, "spec": spec}


def set_by(actor: str, generation: int) -> dict[str, str]:
    """Return the annotation of whoever sets the spec of this generation."""
    return {SET_BY_ANNOTATION: f"{generation} {actor}"}


def author(policy: PlatformPolicy) -> str | None:
    """Return who set the spec as it is now; None where somebody did who leaves no name.

    Others who change the spec leave the annotation as it is, so it counts for its generation only.
    """
    generation, _, actor = policy.metadata.annotations.get(SET_BY_ANNOTATION, "").partition(" ")
    return actor or None if generation == str(policy.metadata.generation) else None
