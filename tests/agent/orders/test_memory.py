"""What must not be forgotten."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from hydracore_agent.errors import StateError
from hydracore_agent.orders import memory as memory_module
from hydracore_agent.orders.memory import OrderMemory
from tests.agent.support.world import TASK


def test_another_process_sees_epoch_and_task(world) -> None:
    world.remember(world.task())
    with world.memory.change() as memory:
        memory.raise_epoch(7)
        memory.raise_epoch(3)
    other = OrderMemory(world.layout.orders, world.layout.ledger, world.clock).read()
    assert other.epoch == 7
    assert other.active is not None
    assert other.active.task_id == TASK


def test_a_read_notices_the_change_of_another(world) -> None:
    other = OrderMemory(world.layout.orders, world.layout.ledger, world.clock)
    assert other.read().latest is None
    world.remember(world.task())
    assert other.read().latest is not None


def test_final_stays(world) -> None:
    world.remember(world.task())
    with world.memory.change() as memory:
        memory.move(memory.tasks[TASK], "aborted", "", world.memory.stamp())
    with world.memory.change() as memory, pytest.raises(StateError, match="cannot become"):
        memory.move(memory.tasks[TASK], "activated", "", world.memory.stamp())
    assert world.memory.read().tasks[TASK].state == "aborted"
    assert world.events() == ["accepted", "aborted"]


def test_a_failing_change_changes_nothing(world) -> None:
    world.remember(world.task())

    def fail() -> None:
        with world.memory.change() as memory:
            memory.raise_epoch(9)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert world.memory.read().epoch == 0


def test_a_kill_between_memory_and_ledger_is_made_good_once(world) -> None:
    world.remember(world.task())
    with world.memory.change() as memory:
        memory.move(memory.tasks[TASK], "rejected", "no", world.memory.stamp())
    lines = world.layout.ledger.read_text().splitlines()
    world.layout.ledger.write_text(lines[0] + "\n" + lines[1][:20])
    world.memory.recover()
    world.memory.recover()
    whole = [line for line in world.layout.ledger.read_text().splitlines() if line.endswith("}")]
    assert [json.loads(line)["event"] for line in whole] == ["accepted", "rejected"]


@pytest.mark.parametrize("content", ["{", "[]", '{"epoch": 1}', '{"epoch": 1, "tasks": [{}]}'])
def test_damage_is_never_taken_for_an_empty_memory(world, content) -> None:
    world.layout.orders.write_text(content)
    with pytest.raises(StateError, match="epochs and tasks would be forgotten"):
        world.memory.read()


def test_changes_of_many_do_not_get_lost(world) -> None:
    def add(number: int) -> None:
        own = OrderMemory(world.layout.orders, world.layout.ledger, world.clock)
        with own.change() as memory:
            memory.add(world.task(task_id=f"task-{number}", state="aborted"))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add, range(40)))
    assert len(world.memory.read().tasks) == 40


def test_old_finished_tasks_go_but_none_that_could_be_sent_again(world, monkeypatch) -> None:
    monkeypatch.setattr(memory_module, "KEPT_TASKS", 3)
    past = world.clock().timestamp() - 7200
    for number in range(6):
        world.remember(world.task(task_id=f"old-{number}", state="aborted", not_after=past))
    for number in range(6):
        world.remember(world.task(task_id=f"new-{number}", state="aborted"))
    assert list(world.memory.read().tasks) == [f"new-{number}" for number in range(6)]
