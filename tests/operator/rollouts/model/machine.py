"""The model as a state machine: each rule is one thing that happens, and a little time after it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import structlog
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from hydracore_crds.rollout import FINAL_STATES
from tests.core.windows.policies import allow, deny
from tests.operator.rollouts.model import calm, deeds
from tests.operator.rollouts.model.world import World

INSTANCES = [f"i{number}" for number in range(6)]
KINDS = ["rollouts", "rollouttargets", "instances", "updatepolicies"]

names = st.sampled_from(INSTANCES)
rollouts = st.sampled_from(["r1", "r2", "r3"])
numbers = st.integers(0, 2)
"""Of a rollout; those that go on come first."""
pauses = st.sampled_from([0.0, 0.015, 0.1, 1.0, 5.0])
"""How long a rule lasts; the shorter ones end while calls are on their way."""
seconds = st.sampled_from([1.0, 20.0, 90.0, 400.0])
beliefs = st.sampled_from([0.0, 0.1, 5.0, 60.0])
losses = st.lists(st.sampled_from(["unsent", "unanswered"]), min_size=1, max_size=4)
durations = st.sampled_from([0.3, 3.0, 3.0, 20.0, 130.0])
outcomes = st.sampled_from(["activated"] * 5 + ["rolled_back", "rejected"])
strategies = st.sampled_from(
    [
        {},
        {},
        {"max_parallel": 1, "failure_threshold": {"count": 2}},
        {"on_failure": "continue"},
        {"on_failure": "continue", "target_timeout_seconds": 60},
        {"on_failure": "rollback"},
        {"on_failure": "rollback", "waves": [{"count": 2}], "failure_threshold": {"count": 2}},
        {"waves": [{"count": 1, "bake_seconds": 60, "approval": True}, {"percent": 50}]},
        {"waves": [{"percent": 20}, {"count": 2, "success_percent": 50}]},
        {"failure_threshold": {"percent": 40, "min_executed": 2}, "target_timeout_seconds": 120},
        {"retry_limit": 2, "retry_backoff_seconds": 30},
        {"retry_limit": 1, "waves": [{"count": 2, "bake_seconds": 30}], "stagger_seconds": 10},
        {"stagger_seconds": 60, "failure_threshold": {"count": 2}},
        {"progress_deadline_seconds": 300, "uncertain_counts_as": "ignored"},
    ]
)
options = st.fixed_dictionaries(
    {},
    optional={
        "override_window": st.just(value=True),
        "force": st.just(value=True),
        "dynamic": st.just(value=True),
    },
)
endings = st.sampled_from(
    [deeds.cancel, deeds.force_cancel, deeds.take_back, deeds.take_back, deeds.delete_rollout]
)
versions = st.sampled_from(["1.1.0", "1.2.0"])
hours = st.sampled_from([None, None, (21, 22), (22, 23)])
windows = st.sampled_from(
    [
        (),
        (allow("*/10 * * * *", "5m"),),
        (allow("0 21 * * *", "9h"), deny("50 21 * * *", "15m")),
    ]
)


class RolloutMachine(RuleBasedStateMachine):
    """A tenant under random events.

    Attributes:
        steps: Rules that were carried out, over all machines.
    """

    steps = 0

    def __init__(self) -> None:
        super().__init__()
        structlog.configure(processors=[self._log], cache_logger_on_first_use=False)
        self.world = World()

    def teardown(self) -> None:
        try:
            if not self.world.records.violations:
                calm.settle(self.world)
                self.holds()
        finally:
            self.world.close()
            structlog.reset_defaults()

    @invariant()
    def holds(self) -> None:
        """Nothing has happened that must not."""
        self.world.starts.slots()
        found = self.world.records.violations
        assert not found, "\n".join([*self.world.story[-60:], *found])

    @initialize(
        limit=st.integers(1, 4), version=st.sampled_from(["1.1.0", "1.2.0"]), how=strategies
    )
    def begin(self, limit: int, version: str, how: dict[str, Any]) -> None:
        self.world.run(partial(self._found, limit, version, how), 0.05)

    def _found(self, limit: int, version: str, how: dict[str, Any]) -> None:
        self.world.found_tenant(limit, INSTANCES[:5])
        deeds.roll(self.world, "r1", version, strategy=how)
        self.world.lead()

    # ---- people ----------------------------------------------------------------------------
    @rule(name=rollouts, version=versions, how=strategies, more=options, after=pauses)
    def roll(
        self, name: str, version: str, how: dict[str, Any], more: dict[str, Any], after: float
    ) -> None:
        self._do(deeds.roll, name, version, strategy=how, after=after, **more)

    @rule(version=versions, how=strategies)
    def redeploy(self, version: str, how: dict[str, Any]) -> None:
        """Start another one where all has ended, so that there is always something to do."""
        self._do(deeds.redeploy, version, how, after=0.1)

    @rule(number=numbers, after=pauses)
    def pause(self, number: int, after: float) -> None:
        self._do(deeds.pause, self._named(number), after=after)

    @rule(number=numbers, paused=st.booleans(), after=pauses)
    def pause_by_spec(self, number: int, paused: bool, after: float) -> None:  # noqa: FBT001
        self._do(deeds.pause_by_spec, self._named(number), paused=paused, after=after)

    @rule(number=numbers, after=pauses)
    def resume(self, number: int, after: float) -> None:
        self._do(deeds.resume, self._named(number), after=after)

    @rule(number=numbers, after=pauses)
    def approve(self, number: int, after: float) -> None:
        self._do(deeds.approve, self._named(number), after=after)

    @rule(number=numbers, how=endings, after=pauses)
    def end(self, number: int, how: Callable[..., None], after: float) -> None:
        self._do(how, self._named(number), after=after)

    @rule(number=st.integers(0, 5), after=pauses)
    def retry(self, number: int, after: float) -> None:
        self._do(deeds.retry, number, after=after)

    @rule(limit=st.integers(1, 4), hours=hours, windows=windows, after=pauses)
    def set_policy(self, limit: int, hours: Any, windows: Any, after: float) -> None:
        self._do(deeds.set_policy, limit, hours, windows, after=after)

    @rule(after=pauses)
    def meddle(self, after: float) -> None:
        self._do(deeds.meddle, after=after)

    # ---- instances and agents --------------------------------------------------------------
    @rule(name=names, after=pauses)
    def add_instance(self, name: str, after: float) -> None:
        self._do(deeds.add_instance, name, after=after)

    @rule(name=names, after=pauses)
    def delete_instance(self, name: str, after: float) -> None:
        self._do(deeds.delete_instance, name, after=after)

    @rule(name=names, lasts=durations, outcome=outcomes, after=pauses)
    def behave(self, name: str, lasts: float, outcome: str, after: float) -> None:
        self._do(deeds.behave, name, lasts, outcome, after=after)

    @rule(name=names, lasts=seconds, after=pauses)
    def silence(self, name: str, lasts: float, after: float) -> None:
        self._do(deeds.silence, name, lasts, after=after)

    @rule(
        name=names,
        fault=st.sampled_from(["unhealthy", "wrong_digest", "garbage"]),
        ill=st.booleans(),
        after=pauses,
    )
    def fall_ill(self, name: str, fault: str, ill: bool, after: float) -> None:  # noqa: FBT001
        self._do(deeds.fall_ill, name, after=after, **{fault: ill})

    # ---- operators and networks ------------------------------------------------------------
    @rule(calls=st.integers(1, 20), sent=st.booleans(), after=pauses)
    def crash(self, calls: int, sent: bool, after: float) -> None:  # noqa: FBT001
        self._do(deeds.crash, calls, sent=sent, after=after)

    @rule(lasts=seconds, believes=beliefs, after=pauses)
    def freeze(self, lasts: float, believes: float, after: float) -> None:
        self._do(deeds.freeze, lasts, believes, after=after)

    @rule(calls=st.integers(1, 20), lasts=seconds, believes=beliefs, after=pauses)
    def freeze_in_call(self, calls: int, lasts: float, believes: float, after: float) -> None:
        self._do(deeds.freeze_in_call, calls, lasts, believes, after=after)

    @rule(believes=beliefs, after=pauses)
    def depose(self, believes: float, after: float) -> None:
        self._do(deeds.depose, believes, after=after)

    @rule(what=losses, agents=st.booleans(), after=pauses)
    def lose(self, what: Any, agents: bool, after: float) -> None:  # noqa: FBT001
        self._do(deeds.lose, what, agents=agents, after=after)

    @rule(plural=st.sampled_from(KINDS), lasts=seconds, after=pauses)
    def deafen(self, plural: str, lasts: float, after: float) -> None:
        self._do(deeds.deafen, plural, lasts, after=after)

    @rule(plural=st.sampled_from(KINDS), late=st.sampled_from([0.1, 2.0, 30.0]), after=pauses)
    def delay(self, plural: str, late: float, after: float) -> None:
        self._do(deeds.delay, plural, late, after=after)

    @rule(after=pauses)
    def relist(self, after: float) -> None:
        self._do(deeds.relist, after=after)

    @rule(after=pauses)
    def repeat_events(self, after: float) -> None:
        self._do(deeds.repeat_events, after=after)

    @rule(away=st.booleans(), after=pauses)
    def history_away(self, away: bool, after: float) -> None:  # noqa: FBT001
        self._do(deeds.history_away, away=away, after=after)

    @rule(seconds=st.sampled_from([1.0, 5.0, 15.0, 40.0]))
    def wait(self, seconds: float) -> None:
        self._do(_nothing, after=seconds)

    @rule(seconds=st.sampled_from([15.0, 60.0, 200.0]))
    def wait_longer(self, seconds: float) -> None:
        self._do(_nothing, after=seconds)

    @rule()
    def wait_for_the_window(self) -> None:
        """Go to just before the next edge that a window can have."""
        now = self.world.loop.time()
        self._do(_nothing, after=300.0 - now % 300.0 - 0.05)

    # ---- inside ----------------------------------------------------------------------------
    def _do(self, deed: Callable[..., None], *args: Any, after: float, **kwargs: Any) -> None:
        type(self).steps += 1
        self.world.run(partial(deed, self.world, *args, **kwargs), after)

    def _named(self, number: int) -> str:
        """Return the name of one of the rollouts."""
        there = sorted(
            (found.status.state in FINAL_STATES, found.metadata.name)
            for found in self.world.rollouts()
        )
        return there[number % len(there)][1] if there else "r1"

    def _log(self, _logger: Any, level: str, event: Any) -> Any:
        """Keep the log out of the way; an error that the operator did not expect is a fault."""
        late = isinstance(event.get("exc_info"), TimeoutError)
        # Whoever was frozen finds its reconcile too late when it wakes.
        if level in {"error", "exception", "critical"} and not late:
            self.world.violated(f"logged: {event}")
        raise structlog.DropEvent


def _nothing(_world: World) -> None:
    """Only time passes."""
