"""Act 4: runtime 1.3.0 suits one agent only; a canary wave finds out, and all of it is undone."""

from __future__ import annotations

from collections.abc import Sequence

from hydracore_cli.demo import rollouts
from hydracore_cli.demo.acts.crash import check_untouched, check_versions
from hydracore_cli.demo.acts.upgrade import flights_of_bundle
from hydracore_cli.demo.ledger import Flight
from hydracore_cli.demo.rollouts import StartedRollout
from hydracore_cli.demo.scene import PLUGINS, TENANT, Scene, names
from hydracore_crds import Instance, ObjectMeta, Rollout
from hydracore_crds.bundle import Bundle
from hydracore_crds.conditions import ROLLED_BACK_ALL
from hydracore_crds.rollout import RolloutSpec, Strategy, Wave

VERSION = "1.3.0"
NAME = "calendar"
CANARIES = 2


async def play(scene: Scene, good: Bundle) -> None:
    """Publish 1.3.0, apply a Rollout in waves, and check that the fleet ends where it began."""
    scene.reporter.heading(f"Runtime {VERSION}, which suits one agent of a machine only")
    bundle = await rollouts.publish(
        scene, VERSION, PLUGINS / "calendar.py", "The agent keeps appointments."
    )
    before = await scene.agents.statuses(await scene.instances())
    rollout = await _apply(scene, bundle)
    view = await rollouts.watch(scene, rollout, lambda view: view.final, "the rollout to end")
    await rollouts.show_timeline(scene, rollout)
    scene.reporter.line(f"  the rollout says: {view.message}")
    fleet = await scene.instances()
    tried = _check_canaries(scene, fleet, bundle, good)
    await _check_rollback(scene)
    after = await scene.agents.statuses(fleet)
    check_versions(scene, after, good)
    check_untouched(scene, before, after, tried, VERSION)


async def _apply(scene: Scene, bundle: Bundle) -> StartedRollout:
    """Create the Rollout as kubectl apply would: a canary wave, and back if it goes wrong."""
    strategy = Strategy(waves=[Wave(name="canary", count=CANARIES)], on_failure="rollback")
    made = await scene.kube.create(
        Rollout(
            metadata=ObjectMeta(name=NAME, namespace=TENANT),
            spec=RolloutSpec(bundle_name=bundle.metadata.name, strategy=strategy),
        )
    )
    scene.reporter.line(
        f"  kubectl apply       rollout.hydracore.io/{NAME} created: a canary wave of {CANARIES}, "
        "onFailure: rollback"
    )
    return StartedRollout(made.metadata.uid, NAME)


def _check_canaries(
    scene: Scene, fleet: Sequence[Instance], bundle: Bundle, good: Bundle
) -> set[str]:
    """Check, from the agents' ledgers, who got 1.3.0 and how each of them lost it again."""
    flights = flights_of_bundle(scene, fleet, bundle)
    tried = {flight.agent for flight in flights}
    by_themselves = _with(flights, "rolled_back")
    updated = _with(flights, "activated")
    since = min((flight.started_at for flight in flights), default=None)
    taken_back = {
        flight.agent
        for flight in flights_of_bundle(scene, fleet, good)
        if since is not None and flight.started_at > since and flight.outcome == "activated"
    }
    scene.check(
        f"only the canaries tried {VERSION}: what one of them had was taken back by the rollout, "
        "the other went back by itself",
        holds=len(tried) == CANARIES
        and len(updated) == len(by_themselves) == 1
        and taken_back == updated,
        found=f"tried: {names(list(tried))}; taken back: {names(list(taken_back))}; went back: "
        f"{names(list(by_themselves))}",
    )
    return tried


def _with(flights: Sequence[Flight], outcome: str) -> set[str]:
    return {flight.agent for flight in flights if flight.outcome == outcome}


async def _check_rollback(scene: Scene) -> None:
    status = (await scene.kube.get(Rollout, NAME, TENANT)).status
    reasons = {condition.type: condition.reason for condition in status.conditions}
    back = status.rollback.counts if status.rollback is not None else None
    scene.check(
        "the rollout has failed, has taken back what it had updated, and says so",
        holds=status.state == "failed"
        and reasons.get("Progressing") == ROLLED_BACK_ALL
        and back is not None
        and back.succeeded == back.total == 1,
        found=f"{status.state}, {reasons.get('Progressing')}, "
        f"{back.succeeded if back else 0} of {back.total if back else 0} taken back",
    )
