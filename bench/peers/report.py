"""From what was measured to rows, and from rows to what they say about the aims. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bench import results
from bench.machine import Usage
from bench.peers.arena import Trial
from bench.rollout.case import ROLLOUT_WRITES, Case, idle_slot_time
from bench.rollout.main import MOST_IDLE

OURS = "hydracore"
GO = "controller_runtime"
SLOWER = ("kopf_tutorial", "celery_redis")
RATIO_AIM = 0.9
CPU_AIM = 2.0
MAKESPAN_AIM = 3.0
RECORDED = ROLLOUT_WRITES | {"events"}
"""Resources that contenders write for the sake of a rollout, if they tell people of it too."""
_NOTHING = Usage(0.0, 0.0)


@dataclass(frozen=True)
class Row:
    """One contender in one case; see docs/performance.md."""

    name: str
    case: str
    n: int
    max_parallel: int
    order_s: float
    makespan_s: float
    lower_bound_s: float
    ratio: float
    writes_per_target: float
    all_writes_per_target: float
    cpu_s: float
    cpu_ms_per_target: float
    peak_rss_mb: float
    broker_cpu_ms_per_target: float
    broker_peak_rss_mb: float
    max_in_flight: int
    idle_slot_time: float
    orders: int
    activations: int
    exactly_once: bool
    stored: int

    def entry(self) -> dict[str, Any]:
        """Return the entry of ``rows``."""
        return results.entry(self)


def row(trial: Trial, rate: float) -> Row:
    """Judge a trial by the write rate W of its case."""
    case, oracle = trial.case, trial.oracle
    workers, broker = trial.used["workers"], trial.used.get("broker", _NOTHING)
    bound = case.lower_bound(rate)
    return Row(
        name=trial.contender,
        case=case.name,
        n=case.n,
        max_parallel=case.max_parallel,
        order_s=case.order_s,
        makespan_s=trial.makespan_s,
        lower_bound_s=bound,
        ratio=bound / trial.makespan_s,
        writes_per_target=sum(trial.writes[name] for name in RECORDED) / case.n,
        all_writes_per_target=sum(trial.writes.values()) / case.n,
        cpu_s=workers.cpu_s,
        cpu_ms_per_target=1000 * workers.cpu_s / case.n,
        peak_rss_mb=workers.peak_rss_mb,
        broker_cpu_ms_per_target=1000 * broker.cpu_s / case.n,
        broker_peak_rss_mb=broker.peak_rss_mb,
        max_in_flight=int(oracle["mostInFlight"]),
        idle_slot_time=idle_slot_time(oracle, case.max_parallel),
        orders=int(oracle["orders"]),
        activations=int(oracle["activations"]),
        exactly_once=case.exactly_once(oracle),
        stored=trial.stored["succeeded"],
    )


def verdicts(rows: Sequence[Row]) -> list[str]:
    """Return what the rows say about the aims, and about rules that were broken."""
    said = [f"{one.case}: {one.name} {fault}" for one in rows for fault in _broken(one) if fault]
    for case in dict.fromkeys(one.case for one in rows):
        found = {one.name: one for one in rows if one.case == case}
        if OURS in found:
            said += _judged(case, found[OURS], found)
    return said


def _broken(one: Row) -> list[str]:
    return [
        "" if one.exactly_once else f"sent {one.orders} orders, {one.activations} were carried out",
        f"had {one.max_in_flight} orders in flight of {one.max_parallel}"
        if one.max_in_flight > one.max_parallel
        else "",
        f"stored {one.stored} of {one.n} results"
        if one.writes_per_target and one.stored != one.n
        else "",
    ]


def _judged(case: str, ours: Row, found: dict[str, Row]) -> list[str]:
    said = [_aim(case, "bound / makespan", ours.ratio, RATIO_AIM, ours.ratio >= RATIO_AIM)]
    if GO in found and found[GO].cpu_s:
        times = ours.cpu_s / found[GO].cpu_s
        said.append(_aim(case, f"CPU / {GO}'s", times, CPU_AIM, times <= CPU_AIM))
    size = Case(case, ours.n, ours.max_parallel, ours.order_s)
    if size.bound_by_push(ours.lower_bound_s):  # nobody can be much faster, but slots can be full
        idle = ours.idle_slot_time
        return [*said, _aim(case, "idle slot time", idle, MOST_IDLE, idle <= MOST_IDLE, digits=4)]
    for name in SLOWER:
        if name in found:
            times = found[name].makespan_s / ours.makespan_s
            what = f"makespan of {name} / ours"
            said.append(_aim(case, what, times, MAKESPAN_AIM, times >= MAKESPAN_AIM))
    return said


def _aim(
    case: str,
    what: str,
    value: float,
    aim: float,
    reached: bool,  # noqa: FBT001
    *,
    digits: int = 2,
) -> str:
    judged = "reaches" if reached else "MISSES"
    return f"{case}: {what} = {value:.{digits}f} {judged} the aim of {aim}"
