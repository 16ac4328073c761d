"""The demo from start to end: a stack of its own, the acts, the verdict, and nothing left."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

from rich.markup import escape

from hydracore_api.auth.keys import load_server_secret
from hydracore_artifacts.build.runtime import DEFAULT_SLUG
from hydracore_artifacts.store import ArtifactStore
from hydracore_cli.bundles.publish import FIELD_MANAGER
from hydracore_cli.demo.acts import canary, chat, crash, farewell, fleet, upgrade
from hydracore_cli.demo.agents import Agents
from hydracore_cli.demo.checks import Checks
from hydracore_cli.demo.rest import Rest
from hydracore_cli.demo.scene import TENANT, Scene
from hydracore_cli.errors import CliError, is_expected
from hydracore_cli.output import Reporter, describe_seconds, make_console
from hydracore_cli.signals import interrupt_when_told_to_end
from hydracore_cli.stack.access import create_admin_key
from hydracore_cli.stack.content import FIRST_VERSION, ensure_tenant
from hydracore_cli.stack.database import check_url, database_url
from hydracore_cli.stack.down import stop_stack
from hydracore_cli.stack.layout import StackLayout, layout_of
from hydracore_cli.stack.options import StackOptions
from hydracore_cli.stack.record import StackRecord
from hydracore_cli.stack.service_env import without_store
from hydracore_cli.stack.up import start_stack
from hydracore_crds.bundle import Bundle, bundle_name
from hydracore_history import History
from hydracore_kube import KubeClient

INTERRUPTED = 130


def run_demo(state_dir: Path | None, *, keep: bool, database: str | None = None) -> int:
    """Run the demo; return the exit status: 0 if every check holds.

    Args:
        state_dir: Folder of the stack; None for a temporary one.
        keep: Leave the folder for a look at the logs; it also stays when something went wrong.
        database: URL of a history database to use; None for an embedded one.
    """
    interrupt_when_told_to_end()
    if database is not None:
        check_url(database)
    reporter = Reporter(make_console())
    began = time.monotonic()
    layout = layout_of(state_dir or Path(tempfile.mkdtemp(prefix="hydracore-demo-")))
    _require_unused(layout)
    checks = Checks()
    problem: str | None = None
    status = 1
    try:
        reporter.heading("HydraCore: a stack of its own for this demo")
        environ, options = without_store(os.environ), StackOptions(owned=True)
        record = start_stack(layout, options, reporter, environ, database=database).record
        asyncio.run(_play(layout, record, reporter, checks))
    except KeyboardInterrupt:
        problem, status = "interrupted", INTERRUPTED
    except Exception as error:
        if not is_expected(error):
            raise
        problem = str(error)
    finally:
        reporter.fail() if problem else reporter.end()
        _stop(layout, reporter)
    status = _verdict(reporter, checks, problem, status, time.monotonic() - began)
    _clean_up(layout, reporter, keep=keep or status != 0, temporary=state_dir is None)
    return status


def _require_unused(layout: StackLayout) -> None:
    """Refuse a folder with a stack in it: the demo would mix with it and stop it at the end."""
    if layout.root.exists():
        raise CliError(
            f"{layout.state_dir} holds a stack already: give the demo a folder of its own, or "
            "leave --state-dir out"
        )


async def _play(
    layout: StackLayout, record: StackRecord, reporter: Reporter, checks: Checks
) -> None:
    async with _scene(layout, record, reporter, checks) as scene:
        await fleet.play(scene)
        await chat.play(scene)
        good = await upgrade.play(scene)
        await crash.play(scene, good)
        await canary.play(scene, good)
        await farewell.play(scene)


@asynccontextmanager
async def _scene(
    layout: StackLayout, record: StackRecord, reporter: Reporter, checks: Checks
) -> AsyncIterator[Scene]:
    """Create the demo's tenant and open what the acts need."""
    kube = await KubeClient.connect(record.kubeconfig, field_manager=FIELD_MANAGER)
    agents = Agents(layout)
    try:
        with reporter.stage(f"tenant {TENANT} with an API key of its own"):
            await ensure_tenant(kube, TENANT)
            key = await _create_key(layout)
        rest = Rest(record.api_url, key)
        try:
            policy = await rest.get("/v1/instances/fleet/updates/policy")
            yield Scene(
                layout=layout,
                record=record,
                reporter=reporter,
                checks=checks,
                kube=kube,
                store=ArtifactStore(layout.artifacts_url),
                agents=agents,
                rest=rest,
                limit=int(policy["max_parallel_rollouts"]),
                first=await kube.get(Bundle, bundle_name("runtime", DEFAULT_SLUG, FIRST_VERSION)),
            )
        finally:
            await rest.close()
    finally:
        await agents.close()
        await kube.close()


async def _create_key(layout: StackLayout) -> str:
    history = History(database_url(layout))
    try:
        secret = load_server_secret(layout.server_secret)
        return await create_admin_key(history, secret, TENANT, name="demo")
    finally:
        await history.close()


def _stop(layout: StackLayout, reporter: Reporter) -> None:
    with reporter.stage("stopping everything", 5):
        stop_stack(layout)


def _verdict(
    reporter: Reporter, checks: Checks, problem: str | None, status: int, seconds: float
) -> int:
    """Print the checks and what they amount to; return the exit status."""
    reporter.heading("Checks, from the agents' own reports")
    for check in checks.made:
        style = "green" if check.holds else "bold red"
        reporter.console.print(f"  [{style}]{escape(check.line)}[/]")
    took = describe_seconds(seconds)
    if problem is not None:
        reporter.line(f"\nThe demo ended early after {took}: {problem}")
        return status
    if checks.failed:
        claims = "; ".join(check.claim for check in checks.failed)
        reporter.line(f"\n{len(checks.failed)} of {len(checks.made)} checks FAILED: {claims}")
        return 1
    at = datetime.now(UTC)
    reporter.line(f"\nAll {len(checks.made)} checks hold ({took}, {at:%Y-%m-%d %H:%M} UTC).")
    return 0


def _clean_up(layout: StackLayout, reporter: Reporter, *, keep: bool, temporary: bool) -> None:
    if keep or not temporary:
        reporter.line(f"Logs and data are in {layout.root}.")
        return
    shutil.rmtree(layout.state_dir)
