"""The outbox: recorded once, open until it ends, in the order in which it was recorded."""

from __future__ import annotations

from datetime import datetime, timedelta

from hydracore_history import History, Notification


def told(
    number: int, at: datetime, *, webhook: str = "pager", namespace: str = "ns"
) -> Notification:
    return Notification(
        f"msg_{number}", webhook, namespace, "r-1", "halted", f'{{"n":{number}}}', at
    )


async def test_recording_again_changes_nothing(history: History, at: datetime) -> None:
    first = told(1, at)
    await history.notifications.record([first])
    later = Notification(**{**fields(first), "body": "other", "created_at": at + timedelta(days=1)})
    await history.notifications.record([later, told(2, at)])
    assert await history.notifications.open("ns", 9) == [first, told(2, at)]


def fields(one: Notification) -> dict[str, object]:
    return {name: getattr(one, name) for name in one.__dataclass_fields__}


async def test_nothing_to_record_is_fine(history: History) -> None:
    await history.notifications.record([])
    assert await history.notifications.open("ns", 9) == []


async def test_open_ones_come_oldest_first_and_bounded(history: History, at: datetime) -> None:
    news = [told(n, at + timedelta(seconds=9 - n)) for n in range(5)]
    await history.notifications.record([*news, told(7, at, namespace="other")])
    found = await history.notifications.open("ns", 3)
    assert [one.id for one in found] == ["msg_4", "msg_3", "msg_2"]
    await history.notifications.end(news[4], "delivered", fault=None, at=at)
    found = await history.notifications.open("ns", 1)
    assert [one.id for one in found] == ["msg_3"]


async def test_one_message_to_two_webhooks_ends_for_each(history: History, at: datetime) -> None:
    mine, theirs = told(1, at), told(1, at, webhook="chat")
    await history.notifications.record([mine, theirs])
    await history.notifications.end(mine, "given_up", fault="it answered 500", at=at)
    assert await history.notifications.open("ns", 9) == [theirs]
    (latest,) = await history.notifications.latest("ns", ["pager", "chat"])
    assert (latest.webhook, latest.outcome, latest.fault) == (
        "pager",
        "given_up",
        "it answered 500",
    )


async def test_what_was_withdrawn_says_nothing_about_a_webhook(
    history: History, at: datetime
) -> None:
    first, second = told(1, at), told(2, at)
    await history.notifications.record([first, second])
    await history.notifications.end(first, "delivered", fault=None, at=at)
    late = at + timedelta(hours=1)
    await history.notifications.end(second, "withdrawn", fault=None, at=late)
    (latest,) = await history.notifications.latest("ns", ["pager"])
    assert latest.id == "msg_1"


async def test_since_is_when_a_webhook_was_first_to_be_told(history: History, at: datetime) -> None:
    assert await history.notifications.since("ns", "r-1") == {}
    await history.notifications.record([told(1, at + timedelta(hours=1)), told(2, at)])
    assert await history.notifications.since("ns", "r-1") == {"pager": at}
    assert await history.notifications.since("ns", "r-2") == {}
