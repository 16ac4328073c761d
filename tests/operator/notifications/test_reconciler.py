"""Told at least once, over real HTTP and SQL, by operators that crash and lose their lead."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from datetime import timedelta
from typing import Any

import pytest

from hydracore_history import History
from hydracore_operator.context import NotLeader
from hydracore_operator.controller.reconciler import RetryLater
from tests.operator.notifications.receiver import Receiver, status
from tests.operator.notifications.stand import Stand
from tests.operator.rollouts.builders import NS


async def test_a_webhook_is_greeted_once(history: History, receiver: Receiver) -> None:
    stand = Stand(history)
    stand.name(("pager", receiver.url))
    assert await stand.tell() is None
    await stand.later(hours=30)
    stand.operator()
    await stand.tell()
    assert receiver.types == ["webhook.configured"]
    assert stand.said is not None
    assert (stand.said.status, stand.said.reason) == ("True", "Delivered")
    key = stand.current().status.webhook_public_key
    assert key is not None
    assert key.startswith("whpk_")


async def test_what_happened_before_it_was_named_is_no_news(
    history: History, receiver: Receiver
) -> None:
    stand = Stand(history)
    stand.end(stand.rollout(), "failed")
    stand.clock.advance(60)
    stand.name(("pager", receiver.url))
    await stand.tell()
    await stand.later(minutes=1)
    assert receiver.types == ["webhook.configured"]


async def test_a_halt_is_told_once_however_often_it_is_reported(
    stand: Stand, receiver: Receiver
) -> None:
    rollout = stand.rollout()
    stand.halt(rollout)
    await stand.tell()
    stand.status(rollout, halt_reason="Halted: 2 of 4 failed.")
    await stand.tell()
    await stand.later(hours=1)
    assert receiver.types == ["rollout.halted"]
    data = json.loads(receiver.got[0][1])["data"]
    assert data["reason"] == "Halted: 1 of 4 failed."
    assert data["tenant"] == {"id": NS, "namespace": NS}


async def test_two_halts_are_two_messages(stand: Stand, receiver: Receiver) -> None:
    rollout = stand.rollout()
    stand.halt(rollout)
    await stand.tell()
    stand.status(rollout, state="in_progress", halted_at=None, halt_reason=None)
    await stand.later(minutes=5)
    stand.halt(rollout, "Halted: 2 of 4 failed.")
    await stand.tell()
    assert receiver.types == ["rollout.halted"] * 2
    assert len(set(receiver.ids)) == 2


async def test_only_what_a_webhook_wants(stand: Stand, receiver: Receiver) -> None:
    stand.name(("pager", receiver.url), events=["failed"])
    good, bad = stand.rollout("good"), stand.rollout("bad")
    stand.end(good)
    stand.end(bad, "failed")
    await stand.tell()
    assert receiver.types == ["rollout.failed"]


async def test_a_receiver_that_fails_is_tried_again_with_the_same_message(
    stand: Stand, receiver: Receiver
) -> None:
    receiver.answer = status(503)
    stand.end(stand.rollout())
    again = await stand.tell()
    assert again == stand.clock.now() + timedelta(seconds=5)
    assert stand.said is not None
    assert (stand.said.status, stand.said.reason) == ("False", "Retrying")
    assert stand.said.message == "pager: it answered 503. Tried again for a day"
    await stand.later(seconds=4)
    assert len(receiver.got) == 1
    receiver.answer = status(200)
    assert await stand.later(seconds=1) is None
    first, second = receiver.got
    assert first[1] == second[1]
    assert len(set(receiver.ids)) == 1
    assert int(second[0]["webhook-timestamp"]) == int(first[0]["webhook-timestamp"]) + 5
    assert stand.said.reason == "Delivered"


async def test_after_a_day_it_is_given_up_and_people_see_it(
    stand: Stand, receiver: Receiver
) -> None:
    receiver.answer = status(500)
    began = stand.clock.now()
    stand.end(stand.rollout())
    again: Any = await stand.tell()
    while again is not None:
        assert again > stand.clock.now()
        again = await stand.later(seconds=(again - stand.clock.now()).total_seconds())
    assert len(receiver.got) == 12
    assert stand.clock.now() - began < timedelta(hours=24)
    assert stand.said is not None
    assert (stand.said.status, stand.said.reason) == ("False", "GivenUp")
    assert stand.said.message == "the newest notification was given up: pager: it answered 500"
    receiver.answer = status(200)
    stand.end(stand.rollout("next"))
    await stand.tell()
    assert stand.said.reason == "Delivered"


async def test_a_receiver_that_says_gone_is_left_alone(stand: Stand, receiver: Receiver) -> None:
    receiver.answer = status(410)
    stand.end(stand.rollout())
    assert await stand.tell() is None
    assert stand.said is not None
    assert stand.said.reason == "GivenUp"


async def test_nothing_that_a_receiver_says_is_repeated(
    stand: Stand, receiver: Receiver, capfd: pytest.CaptureFixture[str]
) -> None:
    receiver.answer = b"HTTP/1.1 500 SECRET\r\nX-Secret: SECRET\r\nContent-Length: 6\r\n\r\nSECRET"
    stand.end(stand.rollout())
    await stand.tell()
    assert len(receiver.got) == 1
    assert "SECRET" not in str(stand.current().to_wire())
    assert "SECRET" not in "".join(capfd.readouterr())


async def test_a_crash_between_sending_and_recording_sends_the_same_again(
    stand: Stand, receiver: Receiver
) -> None:
    stand.end(stand.rollout())
    receiver.answer = None  # it has the message, and the operator dies while it waits
    crashing = asyncio.create_task(stand.tell())
    await receiver.arrived.wait()
    crashing.cancel()
    await asyncio.gather(crashing, return_exceptions=True)
    receiver.answer = status(200)
    stand.operator()
    await stand.later(minutes=1)
    assert receiver.types == ["rollout.succeeded"] * 2
    assert len(set(receiver.ids)) == 1
    assert receiver.got[0][1] == receiver.got[1][1]
    assert await stand.open() == []


async def test_what_was_recorded_is_told_also_when_the_rollout_is_gone(
    stand: Stand, receiver: Receiver
) -> None:
    receiver.answer = status(500)
    rollout = stand.rollout()
    stand.end(rollout)
    await stand.tell()
    stand.kube.remove(rollout)
    receiver.answer = status(200)
    stand.operator()
    await stand.tell()
    assert receiver.types == ["rollout.succeeded"] * 2


async def test_who_does_not_lead_sends_nothing(stand: Stand, receiver: Receiver) -> None:
    def lost() -> int:
        raise NotLeader("no")

    stand.leading = lost
    stand.end(stand.rollout())
    with pytest.raises(NotLeader):
        await stand.tell()
    assert receiver.got == []
    stand.leading = lambda: 2
    stand.operator()
    await stand.tell()
    assert receiver.types == ["rollout.succeeded"]


async def test_while_history_is_locked_nothing_is_sent_and_nothing_lost(
    stand: Stand, receiver: Receiver, sqlite_url: str
) -> None:
    stand.end(stand.rollout())
    holder = sqlite3.connect(sqlite_url.partition(":///")[2], isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    with pytest.raises(RetryLater):
        await stand.tell()
    assert receiver.got == []
    holder.close()
    await stand.tell()
    assert receiver.types == ["rollout.succeeded"]


async def test_what_was_sent_but_could_not_be_recorded_is_not_sent_again(
    stand: Stand, receiver: Receiver, sqlite_url: str
) -> None:
    stand.end(stand.rollout())
    receiver.answer = None
    telling = asyncio.create_task(stand.tell())
    await receiver.arrived.wait()
    holder = sqlite3.connect(sqlite_url.partition(":///")[2], isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    await receiver.say(status(200))
    with pytest.raises(RetryLater):
        await telling
    with pytest.raises(RetryLater):
        await stand.later(seconds=5)
    holder.close()
    assert await stand.later(seconds=5) is None
    assert receiver.types == ["rollout.succeeded"]
    assert await stand.open() == []


async def test_a_webhook_that_is_taken_out_is_told_nothing_more(
    stand: Stand, receiver: Receiver
) -> None:
    receiver.answer = status(500)
    stand.end(stand.rollout())
    await stand.tell()
    stand.name()
    assert await stand.tell() is None
    assert len(receiver.got) == 1
    assert await stand.open() == []
    assert stand.said is None
    assert stand.current().status.webhook_public_key is None


async def test_without_leave_a_private_address_is_seen_in_the_condition(
    stand: Stand, receiver: Receiver
) -> None:
    stand.operator(allow_private=False)
    stand.end(stand.rollout())
    await stand.tell()
    assert receiver.got == []
    assert stand.said is not None
    assert stand.said.message.startswith("pager: its address is not a public one")


async def test_in_steady_state_nothing_is_written(stand: Stand, receiver: Receiver) -> None:
    stand.end(stand.rollout())
    await stand.tell()
    before = stand.kube.writes.copy()
    for _ in range(3):
        assert await stand.later(minutes=10) is None
    assert stand.kube.writes == before
    assert len(receiver.got) == 1
