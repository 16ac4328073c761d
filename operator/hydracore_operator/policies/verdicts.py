"""What the conditions of policies say about windows, and about a freeze."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from hydracore_core.platform.freeze import Freeze
from hydracore_core.windows import WindowState, problems
from hydracore_crds import UpdatePolicy, conditions
from hydracore_crds.base import Condition, ConditionStatus, set_condition


@dataclass(frozen=True, slots=True)
class Verdict:
    """A condition before it has times: type, status, reason and message."""

    type: str
    status: ConditionStatus
    reason: str
    message: str


def judged(
    found: list[Condition], verdicts: Iterable[Verdict], now: datetime, generation: int
) -> list[Condition]:
    """Return the conditions with the verdicts on this generation in them."""
    for one in verdicts:
        found = set_condition(
            found,
            one.type,
            one.status,
            reason=one.reason,
            message=one.message,
            now=now,
            generation=generation,
        )
    return found


def valid(policy: UpdatePolicy) -> Verdict:
    """Say whether all windows can be evaluated; what the schema can judge was refused before."""
    windows = policy.spec.windows
    found = problems(windows)
    if not found:
        return Verdict(conditions.VALID, "True", conditions.VALID, "all windows can be evaluated")
    text = "; ".join(f"windows[{p.index}] ({windows[p.index].kind}): {p.text}" for p in found)
    meaning = "of these an allow window never opens, and a deny window always blocks"
    message = f"windows that cannot be evaluated; {meaning}: {text}"
    return Verdict(conditions.VALID, "False", conditions.INVALID_WINDOW, message)


def window_open(window: WindowState) -> Verdict:
    """Say whether updates may start, and which window lets or blocks them."""
    if window.open:
        return Verdict(conditions.WINDOW_OPEN, "True", conditions.WINDOW_IS_OPEN, window.why)
    return Verdict(conditions.WINDOW_OPEN, "False", conditions.WINDOW_IS_CLOSED, window.why)


def frozen(freeze: Freeze | None) -> Verdict:
    """Say whether the platform is frozen, and why."""
    if freeze is None:
        text = "the platform lets updates start"
        return Verdict(conditions.FROZEN, "False", conditions.NOT_FROZEN, text)
    return Verdict(conditions.FROZEN, "True", conditions.PLATFORM_FROZEN, freeze.why)
