"""The Celery application: one task for each Instance, a callback when all have ended.

The settings are those of "Reserve one task at a time" in Celery's guide to optimizing: a worker
takes no more than it runs, and a task whose worker dies is given to another. Workers have pools of
threads. Celery's own choice for tasks that wait for a network, gevent, was three times slower: with
all slots taken, its loop looks for the next task in Redis after two seconds only.
"""

from __future__ import annotations

import os
from functools import cache
from typing import Any

from celery import Celery

from bench.peers import records
from bench.peers.job import Agent, Bundle, Job
from bench.peers.orders import BlockingAgents
from bench.peers.records import Records

JOB_VARIABLE, REDIS_VARIABLE = "PEER_JOB", "PEER_REDIS_URL"

app = Celery(
    "peers",
    broker=os.environ[REDIS_VARIABLE],
    backend=os.environ[REDIS_VARIABLE],
    set_as_current=True,
)
app.conf.update(
    task_acks_late=True,
    worker_prefetch_multiplier=1,
    broker_connection_retry_on_startup=True,
)


@cache
def job() -> Job:
    """Read what is to be done."""
    return Job.read(os.environ[JOB_VARIABLE])


@cache
def api() -> Records:
    """Connect to the API server, once for a process."""
    return Records(job())


@cache
def agents() -> BlockingAgents:
    """Connect to agents, once for a process."""
    return BlockingAgents(job())


@app.task(name="push")  # type: ignore[untyped-decorator]
def push(target: str, agent: dict[str, Any], bundle: dict[str, Any]) -> str:
    """Push to one Instance, and store what became of it; return its state."""
    what = Bundle.model_validate(bundle)
    begun = records.begun()
    api().store_target(target, begun)
    report = agents().push(Agent.model_validate(agent), begun["taskId"], what)
    ended = records.ended(report, what)
    api().store_target(target, ended)
    return str(ended["state"])


@app.task(name="finish")  # type: ignore[untyped-decorator]
def finish(states: list[str], rollout: str) -> None:
    """Store the Rollout's end."""
    api().store_rollout(rollout, records.complete(len(states), states.count("failed")))
