"""Keeps one agent running: first boot, start, trial, restart."""

from __future__ import annotations

import logging
import signal
import sys
import time
from collections.abc import Callable

from hydracore_agent.backoff import Backoff
from hydracore_agent.errors import EXIT_CONFIG, EXIT_PORT_TAKEN
from hydracore_agent.launcher.probe import is_healthy
from hydracore_agent.launcher.process import Child, Command, Waiter
from hydracore_agent.launcher.switcher import Switcher
from hydracore_agent.launcher.tail import last_lines, trim
from hydracore_agent.layout import Layout
from hydracore_agent.orders.manifest import read_manifest
from hydracore_agent.orders.outcome import Rejected
from hydracore_agent.orders.releases import Releases
from hydracore_agent.orders.switch import Switch
from hydracore_agent.settings import Listen, Settings

log = logging.getLogger(__name__)

PROBE_SECONDS = 0.1
WATCH_SECONDS = 60.0
STABLE_SECONDS = 30.0
"""A release that ran this long before it crashed starts again after the first pause."""


class Supervisor:
    """Runs until told to stop, or until it makes no sense to go on."""

    def __init__(
        self,
        layout: Layout,
        settings: Settings,
        switcher: Switcher,
        waiter: Waiter,
        *,
        clock: Callable[[], float] = time.monotonic,
        probe: Callable[[Listen], bool] = is_healthy,
    ) -> None:
        self._layout = layout
        self._settings = settings
        self._switcher = switcher
        self._waiter = waiter
        self._clock = clock
        self._probe = probe
        self._releases = Releases(layout)
        tuning = settings.tuning
        self._backoff = Backoff(tuning.backoff_first, tuning.backoff_most, _unvaried)

    def run(self) -> int:
        """Return the exit status of the launcher.

        Raises:
            AgentError, OSError: the server's folder cannot be worked with.
        """
        while not self._waiter.stopping:
            child = self._next_child()
            if child is None:
                continue
            status = self._watch(child)
            if status is not None:
                return status
        return 0

    def _next_child(self) -> Child | None:
        """Return a started agent, or None if there was something else to do first."""
        switch = self._switcher.pending()
        if switch is not None:
            return self._try(switch) if self._switcher.begin(switch) else None
        current = self._releases.current()
        if current is None or not self._releases.is_complete(self._layout.release(current.sha256)):
            self._boot()
            return None
        return self._start(current.sha256)

    def _boot(self) -> None:
        """Run the first boot once, in a process of its own to keep this one small."""
        if self._releases.current() is not None:
            log.error("the current release is gone from the disk; installing the first one again")
            self._layout.current.unlink()
        arguments = ["--dir", str(self._layout.root)]
        command = Command(sys.path, "hydracore_agent.bootstrap", arguments)
        child = Child(command, self._layout.log / "bootstrap.log")
        try:
            while child.poll() is None and not self._waiter.stopping:
                self._waiter.wait(child, WATCH_SECONDS)
            status = self._stop(child) if self._waiter.stopping else child.poll()
        finally:
            child.close()
        if status == 0:
            self._backoff.reset()
        elif not self._waiter.stopping:
            pause = self._backoff.pause()
            cause = last_lines(child.log, child.log_start)
            log.warning("first boot: %s; next try in %.1f s", cause, pause)
            self._waiter.wait(None, pause)

    def _start(self, sha256: str) -> Child:
        trim(self._layout.agent_log)
        folder = self._layout.release(sha256)
        arguments = ["--dir", str(self._layout.root), "--release", sha256]
        command = Command([str(folder / "lib")], read_manifest(folder).module, arguments)
        child = Child(command, self._layout.agent_log)
        log.info("release %.12s started, pid %d", sha256, child.pid)
        return child

    def _try(self, switch: Switch) -> Child | None:
        """Start the release on trial; return it if it is good, else settle and return None."""
        try:
            child = self._start(switch.sha256)
        except (Rejected, OSError) as error:
            self._switcher.roll_back(switch, f"the release could not be started: {error}")
            return None
        try:
            cause = self._judge(child, switch)
            if cause is None and self._switcher.commit(switch):
                return child
        except BaseException:
            child.close()
            raise
        self._stop(child)
        child.close()
        if not self._waiter.stopping:
            self._switcher.roll_back(switch, cause or "the order's deadline came during the trial")
        return None

    def _judge(self, child: Child, switch: Switch) -> str | None:
        """Return None when the release is healthy and stays so, else why it is not good."""
        begun = self._clock()
        allowed = min(self._settings.trial_seconds, self._switcher.seconds_left(switch))
        stable = min(self._settings.tuning.trial_stable, self._settings.trial_seconds / 2)
        healthy_since: float | None = None
        while (elapsed := self._clock() - begun) < allowed:
            if self._waiter.stopping:
                return "the launcher was told to stop"
            status = child.poll()
            if status is not None:
                return _exit_cause(child, status)
            if not self._probe(self._settings.listen):
                healthy_since = None
            elif healthy_since is None:
                healthy_since = self._clock()
            elif self._clock() - healthy_since >= stable:
                return None
            self._waiter.wait(child, min(PROBE_SECONDS, allowed - elapsed))
        return _slow_cause(child, allowed, self._settings.trial_seconds)

    def _watch(self, child: Child) -> int | None:
        """Wait until the agent ends; return an exit status if the launcher must end too."""
        begun = self._clock()
        try:
            while child.poll() is None and not self._waiter.stopping:
                self._waiter.wait(child, WATCH_SECONDS)
                trim(child.log)
            status = self._stop(child) if self._waiter.stopping else child.poll()
        finally:
            child.close()
        if self._waiter.stopping:
            return 0
        if self._switcher.pending() is not None:
            return None
        return self._after_exit(child, status or 0, self._clock() - begun)

    def _after_exit(self, child: Child, status: int, ran: float) -> int | None:
        if status == 0:
            self._backoff.reset()
            log.info("the agent left; it starts again in %g s", self._settings.tuning.restart)
            self._waiter.wait(None, self._settings.tuning.restart)
            return None
        cause = _exit_cause(child, status)
        if status in {EXIT_PORT_TAKEN, EXIT_CONFIG}:
            log.error("%s", cause)
            return status
        if ran >= STABLE_SECONDS:
            self._backoff.reset()
        pause = self._backoff.pause()
        log.warning("%s; it starts again in %.1f s", cause, pause)
        self._waiter.wait(None, pause)
        return None

    def _stop(self, child: Child) -> int | None:
        if child.poll() is None:
            child.signal(signal.SIGTERM)
            self._waiter.wait_for_exit(child, self._settings.tuning.stop)
        if child.poll() is None:
            child.signal(signal.SIGKILL)
            self._waiter.wait_for_exit(child, self._settings.tuning.stop)
        return child.poll()


def _unvaried() -> float:
    return 1.0


def _exit_cause(child: Child, status: int) -> str:
    how = f"exit status {status}" if status >= 0 else f"signal {signal.Signals(-status).name}"
    said = last_lines(child.log, child.log_start)
    return f"the agent ended with {how}" + (f": {said}" if said else "")


def _slow_cause(child: Child, allowed: float, trial_seconds: float) -> str:
    said = last_lines(child.log, child.log_start)
    why = "its trial" if allowed >= trial_seconds else "the order's deadline"
    text = f"the release did not get healthy within {max(0.0, allowed):.1f} s ({why})"
    return text + (f": {said}" if said else "")
