"""Switches, and kills in the middle of them."""

from __future__ import annotations

import pytest

from hydracore_agent.launcher.switcher import MOST_STARTS, Switcher
from hydracore_agent.orders.releases import Releases
from hydracore_agent.orders.switch import Switch, write_switch
from tests.agent.support.world import NEW, OLD, TASK, World


class Bench:
    """An old release that runs, and a new one that is staged."""

    def __init__(self, world: World, *, sha256: str = NEW) -> None:
        self.world = world
        self.layout = world.layout
        self.releases = Releases(world.layout)
        world.install(self.layout.release(OLD), "old")
        self.releases.set_current(OLD, None, None)
        world.install(self.layout.staged(TASK), "new")
        world.remember(world.task(state="switching", sha256=sha256))
        self.switch = Switch(TASK, sha256, world.clock().timestamp() + 60)
        write_switch(self.layout, self.switch)
        self.switcher = Switcher(self.layout, world.memory, world.clock)

    def state(self) -> str:
        return self.world.memory.read().tasks[TASK].state

    def message(self) -> str:
        return self.world.memory.read().tasks[TASK].message

    def mark(self, sha256: str) -> str | None:
        path = self.layout.release(sha256) / "mark"
        return path.read_text() if path.exists() else None

    def names(self) -> set[str]:
        return {path.name for path in self.layout.releases.iterdir()}


@pytest.fixture
def bench(world) -> Bench:
    return Bench(world)


def test_a_good_release_becomes_current_and_the_old_is_kept(bench) -> None:
    assert bench.switcher.begin(bench.switch)
    assert bench.state() == "trial"
    assert bench.releases.current().sha256 == OLD
    assert bench.switcher.commit(bench.switch)
    current = bench.releases.current()
    assert (current.sha256, current.previous, bench.state()) == (NEW, OLD, "activated")
    assert bench.names() == {OLD, NEW}
    assert bench.switcher.pending() is None


def test_a_bad_release_goes_and_the_cause_stays(bench) -> None:
    bench.switcher.begin(bench.switch)
    bench.switcher.roll_back(bench.switch, "it crashed")
    assert (bench.state(), bench.message()) == ("rolled_back", "it crashed")
    assert bench.releases.current().sha256 == OLD
    assert bench.names() == {OLD}
    assert bench.switcher.pending() is None


def test_older_releases_are_pruned(bench, world) -> None:
    world.install(bench.layout.release("c" * 64), "ancient")
    bench.switcher.begin(bench.switch)
    bench.switcher.commit(bench.switch)
    assert bench.names() == {OLD, NEW}


def test_nothing_is_tried_at_the_deadline(bench, world) -> None:
    world.clock.advance(60)
    assert not bench.switcher.begin(bench.switch)
    assert bench.state() == "expired"
    assert bench.names() == {OLD}


def test_nothing_becomes_current_at_the_deadline(bench, world) -> None:
    bench.switcher.begin(bench.switch)
    world.clock.advance(60)
    assert not bench.switcher.commit(bench.switch)
    assert bench.releases.current().sha256 == OLD


def test_a_redeploy_replaces_the_folder_and_keeps_the_previous(world) -> None:
    bench = Bench(world, sha256=OLD)
    bench.releases.set_current(OLD, "c" * 64, None)
    world.install(bench.layout.release("c" * 64), "before")
    assert bench.switcher.begin(bench.switch)
    assert bench.mark(OLD) == "new"
    assert bench.switcher.commit(bench.switch)
    assert bench.releases.current().previous == "c" * 64
    assert bench.names() == {OLD, "c" * 64}


def test_a_failed_redeploy_puts_the_old_folder_back(world) -> None:
    bench = Bench(world, sha256=OLD)
    bench.switcher.begin(bench.switch)
    bench.switcher.roll_back(bench.switch, "no")
    assert bench.mark(OLD) == "old"
    assert bench.names() == {OLD}


def test_killed_in_the_trial_it_is_tried_again_but_not_for_ever(bench) -> None:
    for _ in range(MOST_STARTS):
        assert bench.switcher.begin(bench.switch)
        assert bench.mark(NEW) == "new"
    assert not bench.switcher.begin(bench.switch)
    assert bench.state() == "rolled_back"
    assert "interrupted 3 times" in bench.message()


def test_killed_in_the_trial_and_taken_up_too_late(bench, world) -> None:
    bench.switcher.begin(bench.switch)
    world.clock.advance(61)
    assert not bench.switcher.begin(bench.switch)
    assert bench.state() == "rolled_back"
    assert "deadline has passed" in bench.message()
    assert bench.names() == {OLD}


def test_killed_after_the_switch_before_the_settlement(bench) -> None:
    bench.switcher.begin(bench.switch)
    bench.releases.set_current(NEW, OLD, TASK)
    assert not bench.switcher.begin(bench.switch)
    assert bench.state() == "activated"
    assert bench.names() == {OLD, NEW}
    assert bench.world.events().count("activated") == 1


def test_killed_after_the_settlement_before_the_tidying(world) -> None:
    bench = Bench(world, sha256=OLD)
    bench.switcher.begin(bench.switch)
    with world.memory.change() as memory:
        memory.move(memory.tasks[TASK], "rolled_back", "no", "now")
    assert not bench.switcher.begin(bench.switch)
    assert bench.mark(OLD) == "old"
    assert bench.switcher.pending() is None
    assert world.events().count("rolled_back") == 1


def test_killed_between_the_two_renames_of_a_redeploy(world) -> None:
    bench = Bench(world, sha256=OLD)
    bench.layout.release(OLD).replace(bench.layout.replaced(TASK))
    assert bench.switcher.begin(bench.switch)
    assert bench.mark(OLD) == "new"
    bench.switcher.roll_back(bench.switch, "no")
    assert bench.mark(OLD) == "old"


def test_killed_before_the_agent_could_note_the_switch(world) -> None:
    bench = Bench(world)
    with world.memory.change() as memory:
        memory.tasks[TASK].state = "unpacking"
        memory.changed = True
    assert bench.switcher.begin(bench.switch)
    assert bench.state() == "trial"


def test_an_aborted_task_is_not_switched_to(world) -> None:
    bench = Bench(world)
    with world.memory.change() as memory:
        memory.move(memory.tasks[TASK], "aborted", "by the control plane", "now")
    assert not bench.switcher.begin(bench.switch)
    assert bench.state() == "aborted"
    assert bench.names() == {OLD}


def test_a_staged_release_that_is_gone(bench) -> None:
    (bench.layout.staged(TASK) / ".installed.json").unlink()
    assert not bench.switcher.begin(bench.switch)
    assert bench.state() == "rolled_back"
    assert "gone from the disk" in bench.message()
