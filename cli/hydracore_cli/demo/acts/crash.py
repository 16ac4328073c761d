"""Act 3: runtime 1.2.0 crashes on start; the agents go back by themselves and the rollout halts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hydracore_agentclient import AgentStatus
from hydracore_cli.demo import rollouts
from hydracore_cli.demo.acts.upgrade import check_limit, flights_of_bundle
from hydracore_cli.demo.scene import PLUGINS, Scene, names
from hydracore_cli.watch.view import RolloutView
from hydracore_crds import Instance
from hydracore_crds.bundle import Bundle

VERSION = "1.2.0"
LIVELY = ("failed", "succeeded", "uncertain")


async def play(scene: Scene, good: Bundle) -> None:
    """Publish 1.2.0, roll it out, and check that it does no harm; ``good`` is what runs before."""
    scene.reporter.heading(f"Runtime {VERSION}, which crashes on start")
    bundle = await rollouts.publish(
        scene, VERSION, PLUGINS / "forecast.py", "The agent forecasts the weather."
    )
    before = await scene.agents.statuses(await scene.instances())
    rollout = await rollouts.start(scene)
    view = await rollouts.watch(scene, rollout, _halted, "the rollout to halt")
    await rollouts.show_timeline(scene, rollout)
    scene.reporter.line("  (REST shows what waits behind a pause as cancelled)")
    scene.reporter.line(f"  the rollout says: {view.halt_reason or view.message}")
    fleet = await scene.instances()
    tried = _check_tried(scene, fleet, bundle)
    _check_halt(scene, view, tried)
    after = await scene.agents.statuses(fleet)
    check_versions(scene, after, good)
    check_untouched(scene, before, after, tried, VERSION)


def _halted(view: RolloutView) -> bool:
    stopped = view.state in ("paused", "failed") and bool(view.halt_reason)
    return stopped and not view.counts.get("in_progress", 0)


def _check_tried(scene: Scene, fleet: Sequence[Instance], bundle: Bundle) -> set[str]:
    flights = flights_of_bundle(scene, fleet, bundle)
    tried = {flight.agent for flight in flights}
    check_limit(scene, flights, VERSION)
    back = {flight.agent for flight in flights if flight.outcome == "rolled_back"}
    reasons = {flight.message for flight in flights if flight.message}
    scene.check(
        f"no more than {scene.limit} agents tried {VERSION}, and each went back by itself",
        holds=0 < len(tried) <= scene.limit and back == tried,
        found=f"tried: {names(list(tried))}; went back: {names(list(back))}",
    )
    for reason in sorted(reasons):
        scene.reporter.line(f"       an agent says: {reason}")
    return tried


def _check_halt(scene: Scene, view: RolloutView, tried: set[str]) -> None:
    untouched = view.counts.get("total", 0) - len(tried)
    waiting = view.counts.get("queued", 0) + view.counts.get("cancelled", 0)
    scene.check(
        "the rollout halted with a reason, and the rest was not started",
        holds=bool(view.halt_reason)
        and view.counts.get("failed", 0) == len(tried)
        and waiting == untouched > 0,
        found=f"{view.state}; {view.counts.get('failed', 0)} failed, {waiting} not started",
    )


def check_versions(scene: Scene, statuses: Mapping[str, AgentStatus], good: Bundle) -> None:
    """Check that every agent runs the good runtime."""
    digest = good.spec.artifact.sha256
    right = [
        name
        for name, status in statuses.items()
        if status.bundle_hash == digest and status.healthy and not status.on_trial
    ]
    scene.check(
        f"every agent reports, with proof, that it runs {good.spec.version} and is healthy",
        holds=len(right) == len(statuses),
        found=f"{len(right)} of {len(statuses)}",
    )


def check_untouched(
    scene: Scene,
    before: Mapping[str, AgentStatus],
    after: Mapping[str, AgentStatus],
    tried: set[str],
    version: str,
) -> None:
    """Check that those who did not try a version run on in the same process."""
    others = set(after) - tried
    same = [
        name
        for name in others
        if (before[name].pid, before[name].started_at) == (after[name].pid, after[name].started_at)
    ]
    scene.check(
        f"the agents that did not try {version} run on in the same process as before",
        holds=len(same) == len(others) > 0,
        found=names(same),
    )
