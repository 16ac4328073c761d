"""What the demo claims, each claim with what was found."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Check:
    """One claim: whether it holds, and the evidence."""

    claim: str
    holds: bool
    found: str

    @property
    def line(self) -> str:
        """The check as a line of text."""
        mark = "PASS" if self.holds else "FAIL"
        return f"{mark}  {self.claim}: {self.found}"


@dataclass(slots=True)
class Checks:
    """Collects checks in the order in which they were made."""

    made: list[Check] = field(default_factory=list)

    def that(self, claim: str, *, holds: bool, found: str) -> Check:
        """Add a check and return it."""
        check = Check(claim, holds, found)
        self.made.append(check)
        return check

    @property
    def failed(self) -> list[Check]:
        """The checks that do not hold."""
        return [check for check in self.made if not check.holds]
