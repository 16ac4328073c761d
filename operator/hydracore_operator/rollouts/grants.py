"""What the platform grants one tenant, as it stands on the tenant's ledger. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

GRANT_ANNOTATION = "hydracore.io/granted"
"""On a tenant's ledger: ``<slots>@<epoch>``; absent where the platform has no cap."""

_GRANT = re.compile(r"^(\d{1,6})@(\d{1,18})$")


@dataclass(frozen=True, slots=True)
class Grant:
    """How many entries the ledger may have.

    Attributes:
        slots: So many.
        epoch: Of the leader that wrote it; an older one leaves it as it is.
    """

    slots: int
    epoch: int

    def to_text(self) -> str:
        """Return it as the annotation has it."""
        return f"{self.slots}@{self.epoch}"


def grant_of(annotations: Mapping[str, str]) -> Grant | None:
    """Return the grant that stands on a ledger; None if there is none.

    Raises:
        ValueError: It is not what :meth:`Grant.to_text` writes. What cannot be read must not be
            taken for no bound.
    """
    text = annotations.get(GRANT_ANNOTATION)
    if text is None:
        return None
    found = _GRANT.match(text)
    if found is None:
        raise ValueError(
            f"the annotation {GRANT_ANNOTATION} is {text!r}, not <slots>@<epoch>; "
            "set it to 0@0 by hand"
        )
    return Grant(int(found[1]), int(found[2]))
