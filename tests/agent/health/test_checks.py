"""Checks look at what is really there."""

import pytest

from hydracore_agent.health import checks
from hydracore_agent.health.checks import check_disk, check_orders, check_process
from hydracore_agent.health.integrity import FRESH_SECONDS, ReleaseIntegrity
from hydracore_agent.health.lag import LagMeter
from hydracore_agent.health.monitor import HealthMonitor, Subsystem
from hydracore_agent.health.result import CheckResult, worst
from hydracore_agent.orders.unpack import unpack
from tests.agent.support.bundles import tar_of


def test_disk(tmp_path, monkeypatch) -> None:
    assert check_disk(tmp_path, probe=True).status == "healthy"
    assert list(tmp_path.iterdir()) == []
    for limit, status in (("DISK_LOW", "degraded"), ("DISK_OUT", "unhealthy")):
        monkeypatch.setattr(checks, limit, 2**60)
        assert check_disk(tmp_path, probe=False).status == status


def test_a_disk_that_cannot_be_written(tmp_path) -> None:
    (tmp_path / "probe").mkdir()
    result = check_disk(tmp_path, probe=True)
    assert result.status == "unhealthy"
    assert "cannot be written" in result.message


def test_process(monkeypatch, tmp_path) -> None:
    result = check_process()
    assert result.status in {"healthy", "degraded"}
    assert "MiB resident" in result.message
    monkeypatch.setattr(checks, "RSS_HIGH", 1)
    assert check_process().status == "degraded"
    assert check_process(tmp_path).status == "degraded"


def test_orders(world) -> None:
    world.remember(world.task())
    assert "under way: 0c9a" in check_orders(world.memory).message
    world.layout.orders.write_text("{")
    assert check_orders(world.memory).status == "unhealthy"


async def test_lag(clock) -> None:
    late = [0.0, 1.5, 6.0]

    async def sleep(seconds: float) -> None:
        clock.advance(seconds + late.pop(0))

    meter = LagMeter(clock.monotonic, sleep)
    found = []
    for _ in range(3):
        await meter.measure()
        found.append(meter.check().status)
    assert found == ["healthy", "degraded", "unhealthy"]


def test_integrity_looks_again_after_a_minute(tmp_path, clock) -> None:
    archive = tmp_path / "b.tar.gz"
    archive.write_bytes(tar_of({"lib/a.py": b"x = 1\n"}))
    folder = tmp_path / "release"
    unpack(archive, folder, lambda: None)
    integrity = ReleaseIntegrity(folder, clock.monotonic)
    assert integrity.check().status == "healthy"
    (folder / "lib/a.py").write_bytes(b"x = 2\n")
    assert integrity.check().status == "healthy"
    clock.advance(FRESH_SECONDS)
    assert integrity.last().status == "healthy"
    result = integrity.check()
    assert result.status == integrity.last().status == "unhealthy"
    assert "lib/a.py" in result.message


def test_integrity_without_a_listing(tmp_path, clock) -> None:
    assert ReleaseIntegrity(tmp_path, clock.monotonic).check().status == "unhealthy"


def test_worst() -> None:
    assert worst([]) == "healthy"
    assert worst(["healthy", "unhealthy", "degraded"]) == "unhealthy"


async def test_a_check_that_fails_is_a_finding(clock) -> None:
    def broken() -> CheckResult:
        raise RuntimeError("secret")

    monitor = HealthMonitor({"x": Subsystem(broken, broken)}, clock)
    assert not monitor.is_healthy()
    deep = await monitor.deep()
    assert deep["subsystems"]["x"]["message"] == "the check itself failed: RuntimeError"


@pytest.mark.parametrize("seconds", [0, 61])
def test_uptime(clock, seconds) -> None:
    monitor = HealthMonitor({}, clock)
    clock.advance(seconds)
    assert monitor.uptime() == seconds
