"""Handlers in the style of kopf's tutorial: one for each kind, blocking, with the official client.

Settings are kopf's own, but for the pool of threads: its documentation says to size that for
handlers that block, and the limit would not be reached with what it is by default.
"""

from __future__ import annotations

import os
import threading
from collections import Counter
from functools import cache
from typing import Any

import kopf

from bench.peers import records
from bench.peers.job import Bundle, Job
from bench.peers.orders import BlockingAgents
from bench.peers.records import GROUP, VERSION, Records

JOB_VARIABLE = "PEER_JOB"
SPARE_THREADS = 8

job = Job.read(os.environ[JOB_VARIABLE])
api = Records(job)
agents = BlockingAgents(job)
slots = threading.BoundedSemaphore(job.limit)
outcomes: Counter[str] = Counter()
counting = threading.Lock()


@cache
def bundle_of(name: str) -> Bundle:
    """Read a Bundle, once: it does not change."""
    return api.bundle(name)


@kopf.on.startup()
def configure(settings: kopf.OperatorSettings, **_: Any) -> None:
    """Let as many targets run as may be in flight."""
    settings.execution.max_workers = job.limit + SPARE_THREADS


@kopf.on.create(GROUP, VERSION, "rollouts")
def create_rollout(name: str, spec: kopf.Spec, logger: kopf.Logger, **_: Any) -> None:
    """Create a target for each Instance."""
    bundle = bundle_of(spec["bundleName"])
    targets = [
        records.target(name, order, agent, bundle) for order, agent in enumerate(api.agents())
    ]
    for target in targets:
        kopf.append_owner_reference(target)
    outcomes["total"] = len(targets)
    api.create_targets(targets)
    api.store_rollout(name, records.started(len(targets)))
    logger.info("%d targets are created", len(targets))
    finish_if_complete(name)


@kopf.on.create(GROUP, VERSION, "rollouttargets")
def create_target(name: str, spec: kopf.Spec, logger: kopf.Logger, **_: Any) -> None:
    """Push to one Instance, and store what became of it."""
    with slots:
        agent = api.agent(spec["instanceName"])
        bundle = bundle_of(job.bundle_name)
        begun = records.begun()
        api.store_target(name, begun)
        report = agents.push(agent, begun["taskId"], bundle)
        ended = records.ended(report, bundle)
        api.store_target(name, ended)
    logger.info("Pushed to %s: %s", agent.instance_name, ended["state"])
    with counting:
        outcomes[ended["state"]] += 1
    finish_if_complete(spec["rolloutName"])


def finish_if_complete(rollout: str) -> None:
    """Store the Rollout's end, once."""
    with counting:
        total = outcomes["total"]
        if not total or outcomes["succeeded"] + outcomes["failed"] < total or outcomes["finished"]:
            return
        outcomes["finished"] = 1
    api.store_rollout(rollout, records.complete(total, outcomes["failed"]))
