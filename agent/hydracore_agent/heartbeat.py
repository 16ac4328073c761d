"""Heartbeats: the control plane learns how we are, we learn whose signatures count."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from hydracore_agent.agentkey import AgentKey
from hydracore_agent.backoff import Backoff
from hydracore_agent.bootstrap.stages import Stages
from hydracore_agent.controlplane import (
    FORBIDDEN,
    UNAUTHORIZED,
    ControlPlane,
    RefusedError,
    UnreachableError,
)
from hydracore_agent.errors import AgentError, describe_os_error
from hydracore_agent.fields import FieldError, Fields
from hydracore_agent.health.result import DEGRADED, HEALTHY, UNHEALTHY, CheckResult
from hydracore_agent.identity import Identity
from hydracore_agent.settings import MAX_KEYS, Settings
from hydracore_agent.trust import TrustStore

log = logging.getLogger(__name__)

SHORTEST, LONGEST = 0.1, 3600.0
MISSED = 3
"""After so many intervals without an answer the control plane counts as away."""


class UnhealthyError(AgentError):
    """The first heartbeat, which ends the boot, must wait."""


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What it takes to finish the first boot and to fetch a new key.

    Attributes:
        reload: Reads the user data again: enrolment may have been armed anew.
    """

    key: AgentKey
    identity: Identity
    stages: Stages
    reload: Callable[[], Settings]


class Heartbeat:
    """Sends heartbeats until cancelled; no failure ends it."""

    def __init__(
        self,
        control_plane: ControlPlane,
        enrolment: Enrolment,
        trust: TrustStore,
        body: Callable[[], Mapping[str, Any]],
        *,
        interval: float,
        backoff: Backoff,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Take what it needs; ``interval`` in seconds, ``clock`` monotonic in seconds."""
        self._control_plane = control_plane
        self._enrolment = enrolment
        self._trust = trust
        self._body = body
        self._interval = interval
        self._backoff = backoff
        self._clock = clock
        self._sleep = sleep
        self._last = clock()
        self._failure: str | None = None

    async def run(self) -> None:
        """Send until cancelled."""
        while True:
            await self._sleep(await self.beat())

    async def beat(self) -> float:
        """Send one heartbeat; return the seconds until the next."""
        try:
            await self._finish_boot()
            answer = await self._send()
            self._interval = answer.number("next_seconds", SHORTEST, LONGEST, self._interval)
            self._take_keys(answer)
        except (AgentError, FieldError) as error:
            return self._failed(str(error))
        except OSError as error:
            return self._failed(
                f"this server cannot keep what it learnt: {describe_os_error(error)}"
            )
        except Exception as error:
            log.exception("heartbeat failed")
            return self._failed(f"unexpected {type(error).__name__}")
        if self._failure is not None:
            log.info("the control plane answers again")
        self._failure = None
        self._last = self._clock()
        self._backoff.reset()
        return self._interval

    def check(self) -> CheckResult:
        """Return whether the control plane has answered lately."""
        age = self._clock() - self._last
        if age < self._interval * MISSED:
            return CheckResult(HEALTHY, f"last answer {age:.0f} s ago")
        why = self._failure or "no answer yet"
        return CheckResult(DEGRADED, f"no answer for {age:.0f} s: {why}")

    def _failed(self, why: str) -> float:
        if self._failure != why:
            log.warning("heartbeat: %s", why)
        self._failure = why
        return self._backoff.pause()

    async def _finish_boot(self) -> None:
        stages = self._enrolment.stages
        if stages.is_done("healthy"):
            return
        if self._body()["health_status"] == UNHEALTHY:
            raise UnhealthyError("the first boot is not finished: the agent is not healthy yet")
        try:
            await stages.reach("healthy", "the agent runs and is healthy")
        except RefusedError as error:
            if error.status not in {UNAUTHORIZED, FORBIDDEN}:
                raise
            # The first heartbeat has ended the token: the boot was finished before.
            stages.mark("healthy")

    async def _send(self) -> Fields:
        key = self._enrolment.key.get()
        if key is None:
            key = await self._enrol()
        try:
            return await self._control_plane.heartbeat(key, self._body())
        except RefusedError as error:
            if error.status not in {UNAUTHORIZED, FORBIDDEN}:
                raise
            return await self._control_plane.heartbeat(await self._enrol(), self._body())

    async def _enrol(self) -> str:
        settings = self._enrolment.reload()
        key = self._enrolment.key
        await key.enrol(self._control_plane, settings.bootstrap_token, self._enrolment.identity)
        log.info("a new agent key was issued")
        value = key.get()
        if value is None:
            raise UnreachableError("the agent's key is gone from the disk")
        return value

    def _take_keys(self, answer: Fields) -> None:
        self._trust.update(
            answer.items("control_plane_keys", most=MAX_KEYS),
            answer.items("trusted_bundle_keys", most=MAX_KEYS),
        )
