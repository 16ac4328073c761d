"""So many at once, so many open, and no webhook at the expense of another."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from hydracore_operator.notifications import reconciler as module
from tests.operator.notifications.receiver import Receiver, status
from tests.operator.notifications.stand import Stand


async def test_one_that_hangs_with_a_backlog_does_not_hold_up_another(
    stand: Stand, receiver: Receiver
) -> None:
    receiver.answer = None
    async with Receiver() as other:
        stand.name(("pager", receiver.url), ("chat", other.url))
        await stand.tell()
        for number in range(6):
            stand.end(stand.rollout(f"r{number}"))
            await stand.later(seconds=1)
        assert other.types == ["webhook.configured", *["rollout.succeeded"] * 6]
        assert stand.said is not None
        assert stand.said.message == "pager: no answer within 0.5 s. Tried again for a day"


async def test_few_are_sent_at_once_and_all_in_the_end(stand: Stand, receiver: Receiver) -> None:
    for number in range(20):
        stand.end(stand.rollout(f"r{number}"))
    passes = 0
    again: Any = stand.clock.now()
    while again is not None:
        again = await stand.tell()
        passes += 1
        assert len(receiver.got) <= passes * module.AT_ONCE
    assert len(set(receiver.ids)) == 20
    assert receiver.most_at_once <= module.AT_ONCE


async def test_a_webhook_has_so_many_open_and_no_more(
    stand: Stand, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_OPEN", 5)
    receiver.answer = status(500)
    for number in range(7):
        stand.end(stand.rollout(f"r{number}"))
    assert await stand.tell_all() == stand.clock.now() + timedelta(seconds=5)
    assert len(await stand.open()) == 5
    receiver.answer = status(200)
    receiver.got.clear()
    stand.clock.advance(5)
    assert await stand.tell_all() is None
    assert len(set(receiver.ids)) == 7
