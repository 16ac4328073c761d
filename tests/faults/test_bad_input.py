"""What operators and people get wrong around the processes."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.plane import Plane

pytestmark = [pytest.mark.stack, pytest.mark.faults]
COMMAND_SECONDS = 60.0


@pytest.mark.parametrize(
    ("service", "content"),
    [("operator", None), ("operator", "clusters: {"), ("operator", "clusters: []"), ("api", None)],
)
async def test_a_broken_kubeconfig_is_named(
    plane: Plane, tmp_path: Path, service: str, content: str | None
) -> None:
    broken = tmp_path / "kubeconfig.yaml"
    if content is not None:
        broken.write_text(content)
    said = await _refused(plane, service, HYDRACORE_KUBECONFIG=str(broken))
    assert str(broken) in said


@pytest.mark.parametrize(
    ("service", "setting"),
    [("operator", "HYDRACORE_OPERATOR_STATUS_ADDR"), ("api", "HYDRACORE_LISTEN")],
)
async def test_a_taken_port_is_named(plane: Plane, service: str, setting: str) -> None:
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        said = await _refused(plane, service, **{setting: address})
    assert address in said
    assert setting in said


@pytest.mark.parametrize("service", ["operator", "api"])
async def test_a_missing_setting_is_named(plane: Plane, service: str) -> None:
    said = await _refused(plane, service, HYDRACORE_DATABASE_URL=None)
    assert "HYDRACORE_DATABASE_URL" in said


async def _refused(plane: Plane, service: str, **changes: str | None) -> str:
    """Run a service that cannot start; return the one line that it says."""
    own = {"operator": plane.operator_env(0), "api": plane.api_env()}[service]
    if service == "api":
        own["HYDRACORE_LISTEN"] = "127.0.0.1:0"
    env = {name: value for name, value in {**own, **changes}.items() if value is not None}
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "hydracore_cli.main", service],
        env=env,
        capture_output=True,
        text=True,
        timeout=COMMAND_SECONDS,
        check=False,
    )
    assert done.returncode not in {0, None}
    said = done.stdout + done.stderr
    assert "Traceback" not in said
    assert len(said.strip().splitlines()) == 1, said
    return said
