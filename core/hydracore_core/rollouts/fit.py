"""Window fit: nothing starts that would, by what was observed, run past the window's close.

An update needs as long as 19 of 20 of the tenant's newest successful ones took, and never longer
than its order lasts (``targetTimeoutSeconds``). While nobody knows how long updates take they start
as long as the window is open: else the first one would never start, and it is the one that tells.

What is left out waits for the next opening that is long enough. Where none is, the rollout needs
somebody, and says so. Not asked are a rollout that overrides the window, and a rollback: until it
is done instances run what was found to be bad.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import islice

from hydracore_core.rollouts.estimate import Observed, observe
from hydracore_core.rollouts.scope import Gate, RolloutScope, TenantScope
from hydracore_core.rollouts.texts import at, count, lasting, listed
from hydracore_core.windows import WindowState, window_state
from hydracore_core.windows.openings import LOOKED_AT, first_with, openings
from hydracore_crds import Rollout
from hydracore_crds.conditions import DOES_NOT_FIT, WAITING_FOR_WINDOW, WINDOW_TOO_SHORT


def needed(rollout: Rollout, observed: Observed) -> timedelta:
    """Return for how long the window must stay open for a target of a rollout to be started."""
    timeout = rollout.spec.strategy.target_timeout_seconds
    return timedelta(seconds=min(observed.p95_seconds, timeout))


def check_fit(scope: TenantScope) -> None:
    """Close the gate of every rollout whose next target would run past the window's close."""
    asked = [rollout for rollout in scope.rollouts if _asked(scope, rollout)]
    observed = observe(scope.view.targets) if asked else None
    if observed is None:
        return
    for rollout in asked:
        fit = _Fit(scope, rollout, observed)
        rollout.gate = fit.gate() or rollout.gate
        if rollout.gate is not None:
            scope.note(rollout.subject, rollout.gate.message)
        elif fit.last_moment > scope.now:
            scope.wakes.append(fit.last_moment)


def _asked(scope: TenantScope, rollout: RolloutScope) -> bool:
    """Whether it depends on durations if the rollout's next target fits."""
    spec, changes = rollout.rollout.spec, scope.window.next_change
    if rollout.over or rollout.rollback is not None or not rollout.startable:
        return False
    if spec.override_window or changes is None:
        return False
    if not scope.window.open:
        return rollout.gate is not None and rollout.gate.reason == WAITING_FOR_WINDOW
    timeout = timedelta(seconds=spec.strategy.target_timeout_seconds)
    return rollout.gate is None and changes - scope.now < timeout


class _Fit:
    """One rollout whose next target may not fit."""

    def __init__(self, scope: TenantScope, rollout: RolloutScope, observed: Observed) -> None:
        self._scope, self._rollout, self._observed = scope, rollout, observed
        self._needs = needed(rollout.rollout, observed)
        self._changes = scope.window.next_change or scope.now

    @property
    def last_moment(self) -> datetime:
        """Until when something may begin before the window closes."""
        return self._changes - self._needs

    def gate(self) -> Gate | None:
        """Say who misses this window, or all of them; None where that is nobody."""
        begins = first_with(self._needs, self._scope.now, self._window)
        if begins is None:
            return Gate(WINDOW_TOO_SHORT, self._too_short())
        if begins == self._scope.now or not self._scope.window.open:
            return None
        closes = f"the window closes at {at(self._changes)}"
        text = f"{self._who('wait')} until {at(begins)}: {self._why()}, and {closes}"
        return Gate(DOES_NOT_FIT, text)

    def _too_short(self) -> str:
        found = islice(openings(self._scope.now, self._window), LOOKED_AT)
        longest = max(one.ends - one.begins for one in found if one.ends is not None)
        return (
            f"{self._who('find')} no window: {self._why()}, and the longest to come has "
            f"{lasting(longest)}. Make a window longer, or roll out with overrideWindow"
        )

    def _who(self, verb: str) -> str:
        names = [target.spec.instance_name for target in self._rollout.waiting]
        ending = "s" if len(names) == 1 else ""
        return f"{count(len(names), 'target')} ({listed(names)}) {verb}{ending}"

    def _why(self) -> str:
        return f"an update needs {lasting(self._needs)} (p95 of {self._observed.number})"

    def _window(self, time: datetime) -> WindowState:
        return window_state(self._scope.view.policy, time)
