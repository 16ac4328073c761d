"""What stands on a tenant's ledger about the platform's cap, and what stands on the platform's."""

from __future__ import annotations

import pytest

from hydracore_operator.rollouts.allotments import Allotment, Allotments
from hydracore_operator.rollouts.grants import Grant, grant_of
from hydracore_operator.rollouts.ledger import Ledger, LedgerMovedError, UnreadableLedgerError
from hydracore_operator.rollouts.ledgers import claimed_epoch
from tests.operator.rollouts.fakes import FakeKube
from tests.operator.rollouts.test_entries import entry
from tests.operator.rollouts.test_ledger import ledger

ACME, GLOBEX = Allotment("acme", 3), Allotment("globex", 2)


async def loaded(kube: FakeKube) -> Ledger:
    mine = ledger(kube)
    await mine.load()
    return mine


async def platforms(kube: FakeKube) -> Allotments:
    mine = Allotments(kube, operator_namespace="sys")
    await mine.load()
    return mine


def test_a_grant_is_read_as_it_was_written() -> None:
    assert grant_of({"hydracore.io/granted": Grant(5, 12).to_text()}) == Grant(5, 12)
    assert grant_of({}) is None


async def test_a_grant_bounds_claims_below_the_limit_and_stays() -> None:
    kube = FakeKube()
    mine = await loaded(kube)
    await mine.regrant(Grant(1, 1))
    changed = await mine.write(claims={"a": entry(1), "b": entry(2)}, limit=5)
    assert set(changed.refused) == {"b"}
    other = await loaded(kube)
    assert (other.grant, set(other.entries), mine.claimed) == (Grant(1, 1), {"a"}, 1)


async def test_a_claim_made_without_knowing_of_the_grant_fails() -> None:
    kube = FakeKube()
    slow, fast = await loaded(kube), await loaded(kube)
    await fast.regrant(Grant(0, 2))
    with pytest.raises(LedgerMovedError):
        await slow.write(claims={"a": entry(1)}, limit=5)
    assert set((await slow.write(claims={"a": entry(1)}, limit=5)).refused) == {"a"}


async def test_a_grant_is_changed_and_slots_are_freed_in_one_write() -> None:
    kube = FakeKube()
    mine = await loaded(kube)
    await mine.write(claims={"a": entry(1), "b": entry(2)}, limit=5)
    writes = kube.writes.total()
    await mine.regrant(Grant(1, 1), frees={"a"})
    assert (set(mine.entries), kube.writes.total()) == ({"b"}, writes + 1)


async def test_the_same_grant_again_keeps_a_late_write_from_being_carried_out() -> None:
    kube = FakeKube()
    mine = await loaded(kube)
    await mine.regrant(Grant(1, 1))
    late = await loaded(kube)
    await mine.regrant(Grant(1, 1))
    with pytest.raises(LedgerMovedError):
        await late.regrant(Grant(3, 1))


async def test_every_write_of_the_platforms_ledger_replaces_it() -> None:
    kube = FakeKube()
    slow, fast = await platforms(kube), await platforms(kube)
    await fast.allot({"u1": ACME, "u2": GLOBEX}, epoch=3)
    before = dict(kube.raw["sys", "platform-slots"]["metadata"]["annotations"])
    await fast.allot({"u1": ACME}, epoch=3)
    assert kube.raw["sys", "platform-slots"]["metadata"]["annotations"] != before
    assert (fast.total, fast.slots("u2"), fast.epoch) == (5, 2, 3)
    with pytest.raises(LedgerMovedError):
        await slow.allot({"u1": Allotment("acme", 9)}, epoch=4)
    assert not slow.loaded
    await slow.load()
    assert slow.tenants == {"u1": ACME, "u2": GLOBEX}


async def test_a_tenant_without_slots_is_left_out() -> None:
    kube = FakeKube()
    mine = await platforms(kube)
    await mine.allot({"u1": ACME, "u2": GLOBEX}, epoch=1)
    await mine.allot({"u1": Allotment("acme", 0)}, epoch=1)
    assert set(kube.raw["sys", "platform-slots"]["data"]) == {"u2"}


@pytest.mark.parametrize("text", ["x", "{}", '{"namespace": "a", "slots": -1}', "[]", "7"])
async def test_a_platforms_ledger_that_was_edited_is_not_taken_for_one_with_free_slots(
    text: str,
) -> None:
    kube = FakeKube()
    await (await platforms(kube)).allot({"u1": ACME}, epoch=1)
    kube.raw["sys", "platform-slots"]["data"]["u2"] = text
    with pytest.raises(UnreadableLedgerError, match="platform-slots"):
        await platforms(kube)


async def test_the_epochs_of_grants_and_of_the_platforms_ledger_count() -> None:
    """A new leadership begins above them, or it could write neither."""
    kube = FakeKube()
    await (await loaded(kube)).regrant(Grant(1, 8))
    await (await platforms(kube)).allot({"u1": ACME}, epoch=9)
    epochs = {name: claimed_epoch(raw) for (_, name), raw in kube.raw.items()}
    assert epochs == {"slots-u1": 8, "platform-slots": 9}
