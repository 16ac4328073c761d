"""Accept, refuse, repeat, abort."""

from hydracore_agent.http import Refusal
from hydracore_agent.orders.intake import take_abort, take_order
from hydracore_agent.orders.memory import Memory
from hydracore_agent.orders.token import Order
from hydracore_agent.settings import BundleRef
from tests.agent.support.clock import START
from tests.agent.support.world import NEW, OLD, TASK


def order(epoch: int = 1, task_id: str = TASK, sha256: str = NEW, *, force: bool = False) -> Order:
    bundle = BundleRef("expressclaw", "1.1.0", sha256, 10, "k", "s")
    return Order(task_id, epoch, int(START.timestamp()) + 60, bundle, "http://x/b", force)


def take(memory: Memory, given: Order):
    return take_order(memory, given, OLD, START)


def code(outcome) -> str:
    assert isinstance(outcome, Refusal)
    return outcome.code


def test_accepts_and_answers_a_repeat_with_the_present_state() -> None:
    memory = Memory()
    status, task = take(memory, order())
    assert (status, task.state, memory.epoch) == (202, "accepted", 1)
    memory.move(task, "rejected", "no", "now")
    status, again = take(memory, order())
    assert (status, again.state) == (200, "rejected")
    assert len(memory.events) == 2


def test_a_lower_epoch_is_refused_even_for_a_known_task() -> None:
    memory = Memory()
    take(memory, order(epoch=5))
    assert code(take(memory, order(epoch=4))) == "stale_epoch"
    assert code(take(memory, order(epoch=4, task_id="other"))) == "stale_epoch"


def test_busy_but_the_higher_epoch_is_remembered() -> None:
    memory = Memory()
    take(memory, order(epoch=1))
    assert code(take(memory, order(epoch=6, task_id="other"))) == "busy"
    assert memory.epoch == 6
    assert "other" not in memory.tasks


def test_expired_at_the_deadline_itself() -> None:
    memory = Memory()
    at = Order(TASK, 1, int(START.timestamp()), order().bundle, "http://x/b", force=False)
    assert code(take(memory, at)) == "expired"
    assert memory.tasks == {}


def test_the_running_digest_needs_nothing_unless_forced() -> None:
    memory = Memory()
    status, task = take(memory, order(sha256=OLD))
    assert (status, task.state, task.final) == (200, "activated", True)
    status, task = take(memory, order(sha256=OLD, task_id="forced", force=True))
    assert (status, task.state) == (202, "accepted")


def test_a_task_id_is_for_one_digest() -> None:
    memory = Memory()
    take(memory, order())
    assert code(take(memory, order(sha256=OLD))) == "invalid_order"


def test_abort_before_the_switch_only() -> None:
    for state in ("accepted", "downloading", "verifying", "unpacking"):
        memory = Memory()
        _, task = take(memory, order())
        task.state = state
        assert take_abort(memory, TASK, 1, START).state == "aborted"
    for state in ("switching", "trial"):
        task.state = state
        assert take_abort(memory, TASK, 1, START).state == state


def test_abort_with_a_lower_epoch_is_refused() -> None:
    memory = Memory()
    take(memory, order(epoch=3))
    assert code(take_abort(memory, TASK, 2, START)) == "stale_epoch"
    assert memory.tasks[TASK].state == "accepted"


def test_an_order_that_comes_after_its_abort_is_not_carried_out() -> None:
    memory = Memory()
    assert take_abort(memory, TASK, 2, START).state == "aborted"
    status, task = take(memory, order(epoch=2))
    assert (status, task.state) == (200, "aborted")
    assert memory.active is None
