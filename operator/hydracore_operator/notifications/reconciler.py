"""Tells one tenant's webhooks: records what is due, attempts what is open, says how it goes.

The record is written before the first attempt and ended after the last, so a crash in between
repeats an attempt (with the same ``webhook-id``) and loses nothing. The rollout engine neither
waits for any of it nor knows of it.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog

from hydracore_core.notifications.schedule import next_attempt
from hydracore_crds import UpdatePolicy
from hydracore_crds.update_policy import DEFAULT_NAME
from hydracore_crds.webhook import Webhook
from hydracore_history import HistoryError, Notification
from hydracore_history.notifications import Outcome
from hydracore_operator.context import Context
from hydracore_operator.controller.reconciler import RetryLater
from hydracore_operator.notifications.due import due
from hydracore_operator.notifications.sender import NotDelivered, WebhookSender
from hydracore_operator.notifications.signing import WebhookSigner
from hydracore_operator.notifications.status import with_notifications
from hydracore_operator.status_writes import write_status

MAX_OPEN = 125
"""Most notifications of a webhook that wait; further ones are recorded when there is room."""
AT_ONCE = 2
"""Attempts at a webhook at once. Then its tenant's others, and other tenants, have their turns."""
_READ = 1000
"""Open notifications of a tenant that are looked at; more than its webhooks can have."""
RETRY = timedelta(seconds=5)
"""Wait before history is tried again."""
ROOM_EVERY = timedelta(minutes=1)
"""How often room is looked for where a tenant has too many open."""

log = structlog.get_logger(__name__)

_Key = tuple[str, str]


@dataclass
class _Memory:
    """What this process remembers of a tenant. A new leader does without."""

    recorded: frozenset[_Key] = frozenset()
    again: dict[_Key, datetime] = field(default_factory=dict)
    faults: dict[_Key, str] = field(default_factory=dict)
    ended: dict[_Key, tuple[Outcome, str | None]] = field(default_factory=dict)
    """Outcomes that history could not take yet; they are not attempted again."""


class NotificationReconciler:
    """Reconciles the notifications of tenants. Keys are namespaces."""

    def __init__(
        self,
        ctx: Context,
        *,
        sender: WebhookSender | None = None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """Take the outer world.

        Args:
            ctx: The outer world.
            sender: How to deliver; by default as the settings say.
            jitter: Spreads attempts; 0 ≤ jitter() < 1.
        """
        self._ctx = ctx
        self._signer = WebhookSigner(ctx.key)
        self._sender = sender or WebhookSender(
            allow_http=ctx.settings.webhook_allow_http,
            allow_private=ctx.settings.webhook_allow_private,
        )
        self._jitter = jitter
        self._tenants: dict[str, _Memory] = {}

    async def reconcile(self, key: str) -> datetime | None:
        """Work on one tenant; return when to come again.

        Raises:
            RetryLater: History cannot be used now.
            NotLeader: Another process tells now.
            KubeError: The condition could not be written.
        """
        memory = self._tenants.setdefault(key, _Memory())
        try:
            full = await self._record(memory, key)
            await self._attempt(memory, key)
            left = await self._ctx.history.notifications.open(key, _READ)
            await self._say(memory, key, left)
        except HistoryError as away:
            raise RetryLater(str(away), RETRY) from away
        _forget(memory, left)
        if full:
            log.warning("notifications_put_off", namespace=key, open=len(left))
        if not left and self._policy(key) is None:
            self._tenants.pop(key, None)
        again = [self._when(memory, one) for one in left]
        return min(again + [self._ctx.now() + ROOM_EVERY] * full, default=None)

    async def close(self) -> None:
        """Deliver nothing any more."""
        self._sender.close()

    def _policy(self, namespace: str) -> UpdatePolicy | None:
        found = self._ctx.stores.policies.get(f"{namespace}/{DEFAULT_NAME}")
        return None if found is None or found.deleting else found

    # ---- recording -------------------------------------------------------------------------
    async def _record(self, memory: _Memory, namespace: str) -> bool:
        """Store what is due and not stored yet; return whether some of it found no room."""
        policy, stores = self._policy(namespace), self._ctx.stores
        tenant = stores.namespaces.get(namespace)
        if policy is None or tenant is None or tenant.tenant_id is None:
            return False
        outbox = self._ctx.history.notifications
        since = await outbox.since(namespace, policy.metadata.uid)
        rollouts = stores.rollouts.in_namespace(namespace)
        found = due(policy, rollouts, since, tenant_id=tenant.tenant_id, now=self._ctx.now())
        wanted = {_key(one): one for one in found}
        fresh = [one for key, one in wanted.items() if key not in memory.recorded]
        waiting = await outbox.open(namespace, _READ) if fresh else []
        fits = _first(fresh, MAX_OPEN, Counter(one.webhook for one in waiting))
        await outbox.record(fits)
        left_out = frozenset(map(_key, fresh)) - frozenset(map(_key, fits))
        memory.recorded = frozenset(wanted) - left_out
        return bool(left_out)

    # ---- attempting ------------------------------------------------------------------------
    async def _attempt(self, memory: _Memory, namespace: str) -> None:
        """Attempt what is due, a few at once, and record how it ended."""
        policy, now = self._policy(namespace), self._ctx.now()
        named = (policy.spec.notifications if policy is not None else None) or []
        webhooks = {webhook.name: webhook for webhook in named}
        open_ = await self._ctx.history.notifications.open(namespace, _READ)
        for one in open_:
            if one.webhook not in webhooks:
                memory.again.pop(_key(one), None)
        turn = _first([one for one in open_ if self._when(memory, one) <= now], AT_ONCE)
        ended = await asyncio.gather(
            *(self._one(memory, one, webhooks.get(one.webhook)) for one in turn),
            return_exceptions=True,
        )
        for fault in ended:
            if fault is not None:
                raise fault

    async def _one(
        self, memory: _Memory, notification: Notification, webhook: Webhook | None
    ) -> None:
        key = _key(notification)
        if key not in memory.ended:
            found = await self._deliver(memory, notification, webhook)
            if found is None:
                return
            memory.ended[key] = found
        outcome, fault = memory.ended[key]
        await self._ctx.history.notifications.end(
            notification, outcome, fault=fault, at=self._ctx.now()
        )

    async def _deliver(
        self, memory: _Memory, notification: Notification, webhook: Webhook | None
    ) -> tuple[Outcome, str | None] | None:
        """Make one attempt; return how it ended, or None if it is to be tried again."""
        if webhook is None:
            return "withdrawn", None
        self._ctx.epoch()
        text = notification.body.encode()
        headers = self._signer.headers(notification.id, text, self._ctx.now())
        try:
            await self._sender.send(webhook.url, headers, text)
        except NotDelivered as why:
            return self._failed(memory, notification, why)
        log.info("notified", **_named(notification))
        return "delivered", None

    def _failed(
        self, memory: _Memory, notification: Notification, why: NotDelivered
    ) -> tuple[Outcome, str | None] | None:
        key, fault = _key(notification), str(why)
        now = self._ctx.now()
        again = next_attempt(notification.created_at, now, self._jitter())
        if why.final or again is None:
            log.error("notification_given_up", **_named(notification), fault=fault)
            return "given_up", fault
        memory.again[key], memory.faults[key] = again, fault
        log.warning("not_notified", **_named(notification), fault=fault, again_at=again.isoformat())
        return None

    def _when(self, memory: _Memory, notification: Notification) -> datetime:
        return memory.again.get(_key(notification), notification.created_at)

    # ---- saying ----------------------------------------------------------------------------
    async def _say(self, memory: _Memory, namespace: str, left: Iterable[Notification]) -> None:
        """Write how it goes into the policy's status, where it differs."""
        policy = self._policy(namespace)
        if policy is None:
            return
        named = [webhook.name for webhook in policy.spec.notifications or ()]
        faults: dict[str, str] = {}
        for one in left:
            if _key(one) in memory.faults:
                faults.setdefault(one.webhook, memory.faults[_key(one)])
        latest = await self._ctx.history.notifications.latest(namespace, named)
        status = with_notifications(
            policy,
            faults=faults,
            latest=latest,
            public_key=self._signer.public_key,
            now=self._ctx.now(),
        )
        await write_status(self._ctx.kube, self._ctx.stores.policies, policy, status)


def _first(
    found: Iterable[Notification], each: int, taken: Counter[str] | None = None
) -> list[Notification]:
    """Return, of each webhook, as many as may be, the first ones first.

    Args:
        found: Some, of any webhooks.
        each: Most of a webhook.
        taken: How many of these a webhook has had already.
    """
    counted = Counter(taken)
    kept = []
    for one in found:
        counted[one.webhook] += 1
        if counted[one.webhook] <= each:
            kept.append(one)
    return kept


def _key(notification: Notification) -> _Key:
    return notification.id, notification.webhook


def _named(notification: Notification) -> dict[str, str]:
    return {
        "namespace": notification.namespace,
        "webhook": notification.webhook,
        "event_told": notification.event,
        "message_id": notification.id,
    }


def _forget(memory: _Memory, left: Iterable[Notification]) -> None:
    """Keep what is remembered of open notifications only."""
    keys = set(map(_key, left))
    memory.again = {key: at for key, at in memory.again.items() if key in keys}
    memory.faults = {key: fault for key, fault in memory.faults.items() if key in keys}
    memory.ended = {key: how for key, how in memory.ended.items() if key in keys}
