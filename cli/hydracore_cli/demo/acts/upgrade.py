"""Act 2: runtime 1.1.0 to the whole fleet, paused and resumed once on the way."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

from hydracore_cli.demo import rollouts
from hydracore_cli.demo.acts.chat import ask
from hydracore_cli.demo.labels import label_of
from hydracore_cli.demo.ledger import Flight, most_at_once
from hydracore_cli.demo.rollouts import ROLLOUTS, StartedRollout
from hydracore_cli.demo.scene import PLUGINS, Scene, names
from hydracore_cli.watch.view import RolloutView
from hydracore_crds import Instance
from hydracore_crds.bundle import Bundle

VERSION = "1.1.0"
CAPABILITY = "calculator"
PAUSE_SECONDS = 3.0
"""How long nothing may start, to show that nothing does."""


async def play(scene: Scene) -> Bundle:
    """Publish 1.1.0, roll it out, pause and resume, and check what the agents report."""
    scene.reporter.heading(f"Runtime {VERSION} for the whole fleet")
    changelog = "The agent can calculate."
    bundle = await rollouts.publish(scene, VERSION, PLUGINS / "calculator.py", changelog)
    before = list((await scene.labels()).values())
    rollout = await rollouts.start(scene)
    pause = await _pause_and_resume(scene, rollout)
    view = await rollouts.watch(
        scene, rollout, lambda view: view.final, "the rollout to end", before=pause.view
    )
    await rollouts.show_timeline(scene, rollout)
    fleet = await scene.instances()
    await _check_agents(scene, fleet, bundle)
    _check_orders(scene, fleet, bundle)
    _check_pause(scene, fleet, pause)
    _check_nothing_lost(scene, before, fleet, view)
    answer, _ = await ask(scene, fleet[0])
    scene.check("the new runtime behaves differently", holds="42" in answer, found=answer.strip())
    return bundle


class _Pause:
    """From when to when nothing was allowed to start, and the view at its end."""

    def __init__(self, since: datetime, till: datetime, view: RolloutView) -> None:
        self.since, self.till, self.view = since, till, view


async def _pause_and_resume(scene: Scene, rollout: StartedRollout) -> _Pause:
    """Pause once some are done and some wait, let those in flight finish, wait, resume."""
    view = await rollouts.watch(
        scene, rollout, lambda view: view.counts.get("succeeded", 0) > 0, "the first success"
    )
    await scene.rest.post(f"{ROLLOUTS}/{rollout.id}/pause")
    scene.reporter.line("  -- paused by REST; those in flight may finish")
    view = await rollouts.watch(
        scene,
        rollout,
        lambda view: view.state == "paused" and not view.counts.get("in_progress", 0),
        "the pause",
        before=view,
    )
    since = datetime.now(UTC)
    await asyncio.sleep(PAUSE_SECONDS)
    till = datetime.now(UTC)
    await scene.rest.post(f"{ROLLOUTS}/{rollout.id}/resume")
    scene.reporter.line("  -- resumed by REST")
    return _Pause(since, till, view)


async def _check_agents(scene: Scene, fleet: Sequence[Instance], bundle: Bundle) -> None:
    digest = bundle.spec.artifact.sha256
    statuses = await scene.agents.statuses(fleet)
    right = [
        name
        for name, status in statuses.items()
        if status.bundle_hash == digest and status.version == VERSION and status.healthy
    ]
    scene.check(
        f"every agent reports, with proof, that it runs {VERSION} at the published digest",
        holds=len(right) == len(fleet),
        found=f"{len(right)} of {len(fleet)}: {names(right)}",
    )
    able = [name for name, status in statuses.items() if status.capabilities.get(CAPABILITY)]
    scene.check(
        f"every agent has the new capability {CAPABILITY}",
        holds=len(able) == len(fleet),
        found=f"{len(able)} of {len(fleet)}",
    )


def flights_of_bundle(scene: Scene, fleet: Sequence[Instance], bundle: Bundle) -> list[Flight]:
    """Return the agents' own records of the orders for this bundle."""
    digest = bundle.spec.artifact.sha256
    return [flight for flight in scene.agents.flights(fleet) if flight.sha256 == digest]


def check_limit(scene: Scene, flights: Sequence[Flight], version: str) -> None:
    """Check, from the agents' ledgers, that never more than the limit were in flight."""
    most = most_at_once(flights)
    scene.check(
        f"never more than {scene.limit} agents were busy with {version} at once",
        holds=0 < most <= scene.limit,
        found=f"at most {most}, by the agents' ledgers",
    )


def _check_orders(scene: Scene, fleet: Sequence[Instance], bundle: Bundle) -> None:
    flights = flights_of_bundle(scene, fleet, bundle)
    check_limit(scene, flights, VERSION)
    activated = [flight.agent for flight in flights if flight.outcome == "activated"]
    once = len(activated) == len(set(activated)) == len(fleet) == len(flights)
    scene.check(
        "every agent got one order and activated it once",
        holds=once,
        found=f"{len(flights)} orders, {len(activated)} activations in {len(fleet)} ledgers",
    )


def _check_pause(scene: Scene, fleet: Sequence[Instance], pause: _Pause) -> None:
    started = [
        flight.agent
        for flight in scene.agents.flights(fleet)
        if pause.since <= flight.started_at <= pause.till
    ]
    seconds = (pause.till - pause.since).total_seconds()
    scene.check(
        "nothing started while the rollout was paused",
        holds=not started,
        found=f"orders accepted in these {seconds:.1f} s: {names(started)}",
    )


def _check_nothing_lost(
    scene: Scene, before: Sequence[str], fleet: Sequence[Instance], view: RolloutView
) -> None:
    targets = [target.instance for target in view.targets]
    done = view.counts.get("succeeded", 0)
    scene.check(
        "nothing was lost: every instance is a target, once, and all succeeded",
        holds=sorted(targets) == sorted(before) == [label_of(i) for i in fleet]
        and done == view.counts.get("total") == len(fleet)
        and view.state == "succeeded",
        found=f"{len(targets)} targets, {done} succeeded, rollout {view.state}",
    )
