"""Who did something to a Rollout or RolloutTarget, as far as it can be known; never a guess.

REST writes names into annotations; for everybody else the API server stamps them
(``manifests/stamps``). Where it does not (before Kubernetes 1.36), ``metadata.managedFields`` tell
at least by which field manager a value was written.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hydracore_crds import ObjectMeta, Rollout, RolloutTarget
from hydracore_crds.names import (
    CANCEL_ANNOTATION,
    CANCELLED_BY_ANNOTATION,
    CREATED_BY_ANNOTATION,
    MANAGED_BY_LABEL,
    PAUSED_BY_ANNOTATION,
    RESUMED_AT_ANNOTATION,
    RESUMED_BY_ANNOTATION,
    RETRIED_BY_ANNOTATION,
    SPEC_PAUSED_BY_ANNOTATION,
)

OPERATOR = "operator"
OPERATOR_MANAGER = "hydracore-operator"
UNKNOWN = "unknown"
KUBERNETES_USER = "kubernetes-user "
_SPEAKERS = ("api-key ", "user ", KUBERNETES_USER)
_MAX_LENGTH = 253

Field = tuple[str, ...]
"""A field's path in ``managedFields``, such as ``("f:spec", "f:paused")``."""

_PAUSED: Field = ("f:spec", "f:paused")


def creator(rollout: Rollout) -> str:
    """Return who made a rollout."""
    metadata, spec = rollout.metadata, rollout.spec
    if metadata.labels.get(MANAGED_BY_LABEL) == "operator":
        return OPERATOR
    if spec.initiated_by:
        return named(spec.initiated_by)
    stamp = metadata.annotations.get(CREATED_BY_ANNOTATION)
    return named(stamp) if stamp else manager(metadata, ("f:spec", "f:bundleName"))


def pauser(rollout: Rollout) -> str:
    """Return who paused a rollout that is paused."""
    marks = rollout.metadata.annotations
    if marks.get(PAUSED_BY_ANNOTATION):
        return named(marks[PAUSED_BY_ANNOTATION])
    return _stamped(rollout.metadata, SPEC_PAUSED_BY_ANNOTATION, _PAUSED)


def resumer(rollout: Rollout, *, by_mark: bool) -> str:
    """Return who resumed a rollout.

    Args:
        rollout: The rollout after the resume.
        by_mark: Whether its annotation ``resumed-at`` did it; else ``spec.paused`` was set to
            false, or ``paused-by`` taken away, which leaves nothing behind but the stamp.
    """
    if by_mark:
        field = _annotation(RESUMED_AT_ANNOTATION)
        return _stamped(rollout.metadata, RESUMED_BY_ANNOTATION, field)
    stamp = rollout.metadata.annotations.get(RESUMED_BY_ANNOTATION, "")
    if stamp.startswith(KUBERNETES_USER):
        return named(stamp)
    # REST always resumes by the annotation: a name of its own is that of an earlier resume.
    return manager(rollout.metadata, _PAUSED)


def canceller(rollout: Rollout) -> str:
    """Return who cancelled a rollout. Nothing tells who has deleted one."""
    marks, metadata = rollout.metadata.annotations, rollout.metadata
    if marks.get(CANCELLED_BY_ANNOTATION):
        return named(marks[CANCELLED_BY_ANNOTATION])
    if rollout.spec.cancel is not None:
        return manager(metadata, ("f:spec", "f:cancel"))
    return manager(metadata, _annotation(CANCEL_ANNOTATION))


def retrier(target: RolloutTarget) -> str:
    """Return who asked for a target's present attempt: a person, or the operator itself."""
    field: Field = ("f:spec", "f:attempt")
    if _owners(target.metadata, field)[-1:] == [OPERATOR_MANAGER]:
        return OPERATOR
    return _stamped(target.metadata, RETRIED_BY_ANNOTATION, field)


def named(text: str) -> str:
    """Return a name as an actor: a bare one is that of a Kubernetes user, who wrote it there."""
    actor = text if text.startswith(_SPEAKERS) else f"{KUBERNETES_USER}{text}"
    return actor[:_MAX_LENGTH]


def manager(metadata: ObjectMeta, field: Field) -> str:
    """Return the field manager of a field as an actor; ``unknown`` if none is on record."""
    found = _owners(metadata, field)
    return f"kubernetes:{found[-1]}"[:_MAX_LENGTH] if found else UNKNOWN


def _stamped(metadata: ObjectMeta, stamp: str, field: Field) -> str:
    """Return the name in a stamp if it was written with the field, else the field's manager."""
    name = metadata.annotations.get(stamp)
    writers, owners = _owners(metadata, _annotation(stamp)), _owners(metadata, field)
    together = not owners or bool(set(writers) & set(owners))
    if name and (together or name.startswith(KUBERNETES_USER)):
        return named(name)
    return manager(metadata, field)


def _annotation(name: str) -> Field:
    return ("f:metadata", "f:annotations", f"f:{name}")


def _owners(metadata: ObjectMeta, field: Field) -> list[str]:
    """Return the managers of a field, the latest last."""
    entries = [one for one in metadata.managed_fields if _holds(one.get("fieldsV1"), field)]
    entries.sort(key=lambda one: str(one.get("time", "")))
    return [str(one.get("manager", "")) for one in entries if one.get("manager")]


def _holds(fields: Any, path: Field) -> bool:
    for key in path:
        if not isinstance(fields, Mapping) or key not in fields:
            return False
        fields = fields[key]
    return True
