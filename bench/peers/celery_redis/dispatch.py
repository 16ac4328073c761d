"""Stands for the web application of a Celery design: it writes the targets and sends the tasks."""

from __future__ import annotations

import sys
import time

from celery import chord

from bench.peers import leading, records
from bench.peers.celery_redis.app import app, finish, push
from bench.peers.job import Job
from bench.peers.records import Records

START_SECONDS = 60.0


def wait_for_workers(count: int) -> None:
    """Return when so many workers answer.

    Raises:
        RuntimeError: They do not within a minute.
    """
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        try:
            if len(app.control.ping(timeout=1)) >= count:
                return
        except app.connection_for_read().connection_errors:  # the broker is not up yet
            time.sleep(0.1)
    raise RuntimeError(f"{count} Celery workers did not answer within {START_SECONDS:.0f} s")


def roll_out(job: Job, api: Records) -> None:
    """Create all targets, then send a task for each."""
    bundle, rollout = api.bundle(job.bundle_name), api.rollout(job.rollout)
    found = api.agents()
    targets = [
        records.owned_by(rollout, records.target(job.rollout, order, agent, bundle))
        for order, agent in enumerate(found)
    ]
    api.create_targets(targets)
    api.store_rollout(job.rollout, records.started(len(targets)))
    tasks = [
        push.s(target["metadata"]["name"], agent.to_wire(), bundle.to_wire())
        for target, agent in zip(targets, found, strict=True)
    ]
    chord(tasks)(finish.s(rollout=job.rollout))


def main() -> None:
    """Play the part of the leading process: ``dispatch WORKERS JOB``."""
    job = Job.read(sys.argv[2])
    api = Records(job)
    wait_for_workers(int(sys.argv[1]))
    leading.say(leading.READY)
    if leading.heard(leading.GO):
        roll_out(job, api)
        leading.wait_for_the_end()


if __name__ == "__main__":
    main()
