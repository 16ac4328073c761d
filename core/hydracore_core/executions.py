"""What makes two objects the same piece of work, so that it is not done twice."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from hydracore_crds.base import Wire

NOT_THE_WORK = frozenset({"paused", "cancel", "initiatedBy", "initiatedFromIP", "requestedBy"})
"""Wire fields of a spec that say how it goes on, or who asked, but not what is to be done.

A person pauses and cancels the work that is under way; it stays the same work. And a backup
restored by an administrator, or a manifest committed to Git, may lack who asked first.
"""


@dataclass(frozen=True, slots=True)
class Began:
    """What history says about whether an object's work has begun before.

    Attributes:
        state: ``unknown``: it has not answered; ``unavailable``: it could not be asked;
            ``fresh``: it never began; ``ours``: it began, for this very object; ``other``: it
            began for a former object of that name.
        uid: Of that object.
        at: When it began.
    """

    state: Literal["unknown", "unavailable", "fresh", "ours", "other"]
    uid: str = ""
    at: datetime | None = None


def spec_hash(spec: Wire) -> str:
    """Return a digest of what a spec asks for: SHA-256, 64 hex digits.

    Fields at their default count as absent: a default that a later version adds, and the API
    server then fills in, leaves the hash as it was.

    Args:
        spec: The spec of an object that runs at most once, such as a Rollout or an InstanceAction.
    """
    wire = spec.model_dump(mode="json", by_alias=True, exclude_none=True, exclude_defaults=True)
    work = {name: value for name, value in wire.items() if name not in NOT_THE_WORK}
    text = json.dumps(work, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()
