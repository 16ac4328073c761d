"""Who takes part, as which processes."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.peers.celery_redis import redis
from bench.peers.contenders import CONTENDERS, Tools, share
from bench.peers.job import Job
from hydracore_devcluster.layout import ProjectLayout


@pytest.mark.parametrize(("limit", "parts"), [(200, 2), (7, 2), (3, 4), (1, 2), (10, 3)])
def test_workers_share_the_limit_exactly(limit: int, parts: int) -> None:
    shares = share(limit, parts)
    assert sum(shares) == limit
    assert min(shares) >= 1
    assert max(shares) - min(shares) <= 1


def test_each_has_a_folder_of_its_own_and_a_leading_process_with_the_job(
    project: ProjectLayout, tmp_path: Path
) -> None:
    tools = Tools(project, tmp_path, tmp_path / "redis-server", tmp_path / "controller")
    job = Job.model_construct(kubeconfig="admin.yaml", limit=10)
    for name, contender in CONTENDERS.items():
        assert (project.root / "bench" / "peers" / name).is_dir()
        programs = contender.programs(tools, job, tmp_path / "job.json", tmp_path)
        assert programs[-1].argv[-1] == str(tmp_path / "job.json")
        assert programs[-1].part == "workers"


def test_redis_is_what_is_named_then_the_machines_then_the_packages(tmp_path: Path) -> None:
    packaged = tmp_path / redis.PACKAGED
    on_path = tmp_path / "bin" / "redis-server"
    for path in (packaged, on_path, tmp_path / "mine"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("#!/bin/sh\n")
    on_path.chmod(0o755)
    environ = {"PATH": str(on_path.parent)}
    assert redis.find({**environ, redis.VARIABLE: str(tmp_path / "mine")}, tmp_path).name == "mine"
    assert redis.find(environ, tmp_path) == on_path
    assert redis.find({"PATH": ""}, tmp_path) == packaged
    assert packaged.stat().st_mode & 0o100
    packaged.unlink()
    with pytest.raises(redis.NoRedisError, match=r"apt-get install redis-server.*HYDRACORE_REDIS"):
        redis.find({"PATH": ""}, tmp_path)
