"""Starting a stack and following it until it is ready."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from hydracore_cli.errors import CliError
from hydracore_cli.output import Reporter
from hydracore_cli.stack.cluster import choose_cluster, cluster_environ
from hydracore_cli.stack.database import differs, keep_database, shown_database
from hydracore_cli.stack.down import SUPERVISOR_MODULE, stop_supervisor
from hydracore_cli.stack.layout import StackLayout
from hydracore_cli.stack.locks import LockHeldError, hold, is_held
from hydracore_cli.stack.options import StackOptions, check_port
from hydracore_cli.stack.progress import ProgressEvent, ProgressReader
from hydracore_cli.stack.record import StackRecord, load_record

TURN_SECONDS = 300.0
"""How long to wait for another ``up`` or ``down`` of the same stack."""
START_SECONDS = 300.0
"""How long a stack may take to start; usual are about fifteen seconds."""
_POLL_SECONDS = 0.1
_TAIL_LINES = 15


@dataclass(frozen=True, slots=True)
class Started:
    """A stack that is ready, and whether it was so before."""

    record: StackRecord
    already: bool


def start_stack(
    layout: StackLayout,
    options: StackOptions,
    reporter: Reporter,
    environ: Mapping[str, str] = os.environ,
    *,
    database: str | None = None,
) -> Started:
    """Return when the stack is ready; one that runs already is left as it is.

    When starting fails or is interrupted, nothing is left running. ``database`` names the history
    database as :func:`hydracore_cli.stack.database.keep_database` has it.

    Raises:
        CliError: it did not start; says why.
        DevClusterError: the control plane's binaries cannot be had.
    """
    _create(layout)
    try:
        with hold(layout.start_lock, TURN_SECONDS):
            if is_held(layout.supervisor_lock):
                # An `up` that was killed leaves a supervisor that may still be starting.
                _follow(layout, lambda: is_held(layout.supervisor_lock), reporter)
                return Started(_running(layout, options, database), already=True)
            check_port(options.api_port)
            keep_database(layout, database)
            environ = cluster_environ(environ)
            choose_cluster(layout, environ)  # builds in the foreground what has to be built
            layout.progress.unlink(missing_ok=True)
            process = _spawn(layout, options, environ)
            try:
                _follow(layout, lambda: process.poll() is None, reporter)
            except BaseException:
                reporter.fail()
                stop_supervisor(layout)
                process.wait()
                raise
            return Started(_ready_record(layout), already=False)
    except LockHeldError:
        raise CliError(
            f"another `up` or `down` has been busy with {layout.state_dir} for "
            f"{TURN_SECONDS:.0f} s: wait for it, or end it"
        ) from None


def _create(layout: StackLayout) -> None:
    try:
        layout.create()
    except OSError as error:
        raise CliError(
            f"the state folder {layout.state_dir} cannot be made: {error.strerror}: choose "
            "another with --state-dir"
        ) from error


def _running(layout: StackLayout, options: StackOptions, database: str | None) -> StackRecord:
    record = _ready_record(layout)
    if differs(layout, database):
        raise CliError(
            f"the stack runs already, with its history in {shown_database(layout)}: stop it with "
            "`hydracore down` first to use another database"
        )
    if options.api_port and options.api_port != record.api_port:
        raise CliError(
            f"the stack runs already, with its API on port {record.api_port}: stop it with "
            "`hydracore down` first to move it"
        )
    return record


def _ready_record(layout: StackLayout) -> StackRecord:
    record = load_record(layout.record)
    if record is None or record.phase != "ready":
        phase = record.phase if record is not None else "in an unknown state"
        raise CliError(
            f"the stack in {layout.state_dir} is {phase}, not ready: stop it with `hydracore "
            "down` and start it again"
        )
    return record


def _spawn(
    layout: StackLayout, options: StackOptions, environ: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    """Start the supervisor, detached: it survives this process and its terminal."""
    options_json = options.model_dump_json()
    argv = [sys.executable, "-m", SUPERVISOR_MODULE, str(layout.state_dir), options_json]
    with (layout.logs / "supervisor.log").open("wb") as log:
        return subprocess.Popen(  # noqa: S603 - our own module
            argv,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=layout.root,
            env=dict(environ),
            start_new_session=True,
        )


def _follow(layout: StackLayout, is_alive: Callable[[], bool], reporter: Reporter) -> None:
    """Show what the supervisor does until it is ready; at once where it is."""
    record = load_record(layout.record)
    if record is not None and record.phase == "ready" and is_held(layout.supervisor_lock):
        return
    reader = ProgressReader(layout.progress)
    deadline = time.monotonic() + START_SECONDS
    while True:
        ended = not is_alive()
        for event in reader.read():
            if _show(event, reporter):
                return
        if ended:
            raise CliError(
                f"the stack ended before it was ready. The end of {layout.logs}/supervisor.log:\n"
                + _tail(layout)
            )
        if time.monotonic() > deadline:
            raise CliError(
                f"the stack was not ready after {START_SECONDS:.0f} s and was stopped; its logs "
                f"are in {layout.logs}"
            )
        time.sleep(_POLL_SECONDS)


def _show(event: ProgressEvent, reporter: Reporter) -> bool:
    """Show one event; return whether the stack is ready.

    Raises:
        CliError: the event says that starting failed.
    """
    match event.kind:
        case "begin":
            reporter.begin(event.text, event.usual_seconds)
        case "end":
            reporter.end()
        case "note":
            reporter.end()
            reporter.line(f"  note: {event.text}")
        case "failed":
            raise CliError(event.text)
        case "ready":
            reporter.end()
            return True
    return False


def _tail(layout: StackLayout) -> str:
    try:
        lines = (layout.logs / "supervisor.log").read_text(errors="replace").splitlines()
    except OSError:
        return "  (no log)"
    return "\n".join(f"  {line}" for line in lines[-_TAIL_LINES:])
