"""Who runs beside HydraCore, and as which processes."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench import packages
from bench.peers.celery_redis import redis
from bench.peers.job import Job
from bench.peers.processes import Program
from hydracore_devcluster import ports
from hydracore_devcluster.build import provide_tools
from hydracore_devcluster.layout import ProjectLayout
from hydracore_devcluster.progress import Progress
from hydracore_devcluster.toolset import PEER_CONTROLLER


@dataclass(frozen=True)
class Tools:
    """What contenders are made of, all there."""

    project: ProjectLayout
    packages: Path
    redis: Path
    controller: Path


@dataclass(frozen=True)
class Contender:
    """Somebody who does the rollout.

    Attributes:
        programs: From the tools, the job, its file and a folder for others to processes.
        writes: Whether it writes to the cluster; its end is then the Rollout's stored one.
    """

    name: str
    programs: Callable[[Tools, Job, Path, Path], list[Program]]
    writes: bool = True


def provide(project: ProjectLayout, progress: Progress) -> Tools:
    """Build and install what is missing, and say so.

    Raises:
        DevClusterError, PackagesMissingError, NoRedisError: Something cannot be had.
    """
    folder = packages.provide(project, progress)
    return Tools(
        project=project,
        packages=folder,
        redis=redis.find(os.environ, folder),
        controller=provide_tools(PEER_CONTROLLER, project, os.environ, progress)
        / PEER_CONTROLLER.programs[0],
    )


def _module(name: str, *args: str) -> tuple[str, ...]:
    return (sys.executable, "-m", f"bench.peers.{name}", *args)


def _bare_loop(_tools: Tools, _job: Job, file: Path, _folder: Path) -> list[Program]:
    return [Program("bare_loop", _module("bare_loop.program", str(file)))]


def _controller(tools: Tools, _job: Job, file: Path, _folder: Path) -> list[Program]:
    return [Program("controller_runtime", (str(tools.controller), str(file)))]


def _kopf(_tools: Tools, job: Job, file: Path, _folder: Path) -> list[Program]:
    # The official client looks for its configuration when it is imported.
    env = {"KUBECONFIG": job.kubeconfig, "PEER_JOB": str(file)}
    return [Program("kopf_tutorial", _module("kopf_tutorial.program", str(file)), env)]


def _celery(tools: Tools, job: Job, file: Path, folder: Path) -> list[Program]:
    """One worker for each core shares the limit, as Celery's guide to workers advises."""
    (port,) = ports.choose(1)
    env = {
        "PYTHONPATH": packages.python_path(tools.project, tools.packages),
        "PEER_JOB": str(file),
        "PEER_REDIS_URL": f"redis://127.0.0.1:{port}/0",
    }
    shares = share(job.limit, len(os.sched_getaffinity(0)))
    celery = (sys.executable, "-m", "celery", "-A", "bench.peers.celery_redis.app", "worker")
    workers = [
        Program(
            f"celery_{number}",
            (*celery, "-P", "threads", "-c", str(slots), "-n", f"w{number}@%h", "-l", "INFO"),
            env,
        )
        for number, slots in enumerate(shares, start=1)
    ]
    dispatch = _module("celery_redis.dispatch", str(len(workers)), str(file))
    return [
        Program("redis", tuple(redis.command(tools.redis, port, folder)), part="broker"),
        *workers,
        Program("dispatch", dispatch, env),
    ]


def share(limit: int, parts: int) -> list[int]:
    """Divide a limit; nobody gets nothing, and all together get exactly the limit."""
    parts = min(limit, parts)
    return [limit // parts + (number < limit % parts) for number in range(parts)]


CONTENDERS = {
    one.name: one
    for one in (
        Contender("bare_loop", _bare_loop, writes=False),
        Contender("controller_runtime", _controller),
        Contender("kopf_tutorial", _kopf),
        Contender("celery_redis", _celery),
    )
}
