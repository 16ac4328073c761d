"""Plan and executor under random events, in virtual time: I3 to I6 at every step, and an end."""

from __future__ import annotations

import os
import time

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.operator.rollouts.model.machine import RolloutMachine

pytestmark = pytest.mark.first

STEPS = 10_000
MINUTES = float(os.environ.get("HYDRACORE_SOAK_MINUTES", "0"))
EVERY_RUN = settings(
    max_examples=230,
    stateful_step_count=60,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
SOAK = settings(EVERY_RUN, max_examples=50, derandomize=False, print_blob=True)


def test_whatever_happens_the_invariants_hold_and_all_comes_to_rest() -> None:
    """The same histories in every run, so that a failure comes again."""

    class EveryRun(RolloutMachine):
        pass

    once = settings(EVERY_RUN, phases=[Phase.generate], print_blob=False)
    run_state_machine_as_test(EveryRun, settings=once)
    print(f"{EveryRun.steps} steps")  # noqa: T201
    assert EveryRun.steps >= STEPS


@pytest.mark.skipif(not MINUTES, reason="make soak runs it")
def test_the_same_for_a_long_time() -> None:
    """Other histories in every run. What fails is made smaller and printed as a story."""

    class Soak(RolloutMachine):
        pass

    end = time.monotonic() + 60 * MINUTES
    while time.monotonic() < end:
        run_state_machine_as_test(Soak, settings=SOAK)
        print(f"{Soak.steps} steps", flush=True)  # noqa: T201
    assert Soak.steps
