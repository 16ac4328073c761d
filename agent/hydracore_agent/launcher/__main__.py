"""``python -m hydracore_agent.launcher --dir DIR``: what systemd, or the provider, runs."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from hydracore_agent.clock import utc_now
from hydracore_agent.errors import (
    EXIT_CONFIG,
    EXIT_LOCKED,
    EXIT_PORT_TAKEN,
    AgentError,
    PortTakenError,
    SettingsError,
    describe_os_error,
)
from hydracore_agent.launcher.lock import LockedError, take_lock
from hydracore_agent.launcher.process import Waiter, die_with_parent
from hydracore_agent.launcher.supervisor import Supervisor
from hydracore_agent.launcher.switcher import Switcher
from hydracore_agent.layout import Layout
from hydracore_agent.listening import check_free
from hydracore_agent.logs import log_to_stderr
from hydracore_agent.orders.memory import OrderMemory
from hydracore_agent.settings import load_settings

log = logging.getLogger("hydracore_agent.launcher")


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve one server's folder until told to stop; return the exit status."""
    parser = argparse.ArgumentParser(prog="hydracore_agent.launcher", description=__doc__)
    parser.add_argument("--dir", type=Path, required=True, help="the server's folder")
    layout = Layout(parser.parse_args(arguments).dir.absolute())
    log_to_stderr()
    waiter = Waiter()
    waiter.catch_signals()
    die_with_parent(os.getppid(), signal.SIGTERM)
    try:
        return _run(layout, waiter)
    except LockedError as error:
        return _fail(EXIT_LOCKED, str(error))
    except PortTakenError as error:
        return _fail(EXIT_PORT_TAKEN, str(error))
    except (SettingsError, AgentError) as error:
        return _fail(EXIT_CONFIG, str(error))
    except OSError as error:
        return _fail(EXIT_CONFIG, f"{error.filename or layout.root}: {describe_os_error(error)}")


def _run(layout: Layout, waiter: Waiter) -> int:
    settings = load_settings(layout.user_data)
    layout.prepare()
    lock = take_lock(layout.launcher_lock)
    try:
        check_free(settings.listen)
        memory = OrderMemory(layout.orders, layout.ledger, utc_now)
        memory.recover()
        return Supervisor(layout, settings, Switcher(layout, memory, utc_now), waiter).run()
    finally:
        os.close(lock)


def _fail(status: int, message: str) -> int:
    log.error("%s", message)
    return status


if __name__ == "__main__":
    sys.exit(main())
