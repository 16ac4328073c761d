"""The whole stack as processes: up, used by REST, and down without a trace."""

from __future__ import annotations

import contextlib
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from hydracore_cli.stack.env_file import read_env
from hydracore_cli.stack.layout import StackLayout, layout_of
from hydracore_cli.stack.locks import is_held
from hydracore_cli.stack.record import load_record
from hydracore_devcluster.assets import Assets
from hydracore_devcluster.audit import FOLDER_VARIABLE
from hydracore_operator.providers.local.machine import descendants, stat_of
from hydracore_operator.providers.local.processes import members
from hydracore_operator.providers.local.record import records
from tests.rights.session import folder as audit_logs

pytestmark = pytest.mark.stack
COMMAND_SECONDS = 240


@dataclass(frozen=True)
class Stack:
    layout: StackLayout
    environ: dict[str, str]
    first_output: str

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return command(self.environ, *arguments, "--state-dir", str(self.layout.state_dir))

    def rest(self) -> httpx.Client:
        env = read_env(self.layout.env)
        return httpx.Client(
            base_url=env["HYDRACORE_API_URL"],
            headers={"X-Api-Key": env["HYDRACORE_API_KEY"]},
            trust_env=False,
            timeout=30,
        )

    def supervisor(self) -> int:
        record = load_record(self.layout.record)
        assert record is not None
        return record.pid


def command(environ: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "hydracore_cli.main", *arguments],
        env=environ,
        capture_output=True,
        text=True,
        timeout=COMMAND_SECONDS,
        check=False,
    )


def wait_for(look: Callable[[], Any], seconds: float, what: str) -> Any:
    """Return the first answer that is true; fail after the time."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        if time.monotonic() > deadline:
            pytest.fail(f"waited {seconds} s for {what}; last: {found!r}")
        time.sleep(0.2)
    return found


def argv_of(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def alive(pid: int) -> bool:
    found = stat_of(pid)
    return found is not None and found[0] != "Z"


def load_kubectl(stack: Stack) -> Callable[..., str]:
    """Return the stack's kubectl as a function of its arguments."""
    record = load_record(stack.layout.record)
    assert record is not None
    assert record.kubectl is not None
    argv = [record.kubectl, f"--kubeconfig={record.kubeconfig}"]

    def call(*arguments: str) -> str:
        return subprocess.run(
            [*argv, *arguments], capture_output=True, text=True, check=True, timeout=60
        ).stdout

    return call


@pytest.fixture(scope="module")
def environ(assets: Assets, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": "/",
        "KUBEBUILDER_ASSETS": str(assets.kube_apiserver.parent),
        FOLDER_VARIABLE: str(audit_logs(tmp_path_factory)),
    }


@pytest.fixture(scope="module")
def stack(environ: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    layout = layout_of(tmp_path_factory.mktemp("stack") / "a state dir")
    done = command(environ, "up", "--state-dir", str(layout.state_dir))
    try:
        assert done.returncode == 0, done.stdout + done.stderr
        yield Stack(layout, environ, done.stdout)
    finally:
        command(environ, "down", "--state-dir", str(layout.state_dir))


@pytest.fixture(scope="module")
def instance(stack: Stack) -> dict[str, Any]:
    """An instance that was created by REST and is running, as REST shows it."""
    body = {"tier_id": "local-small", "region_id": "local", "agent_name": "Ada"}
    with stack.rest() as rest:
        created = rest.post("/v1/instances", json=body)
        assert created.status_code == 202, created.text
        path = f"/v1/instances/{created.json()['instance_id']}"
        found: dict[str, Any] = wait_for(
            lambda: (a := rest.get(path).json())["status"] == "running" and a, 90, "running"
        )
    return found


def test_up_writes_the_env_file_for_its_owner_only(stack: Stack) -> None:
    values = read_env(stack.layout.env)
    assert list(values) == [
        "KUBECONFIG",
        "HYDRACORE_NAMESPACE",
        "HYDRACORE_API_URL",
        "HYDRACORE_API_KEY",
        "HYDRACORE_OPS_TOKEN",
    ]
    assert all(values.values())
    assert stat.S_IMODE(stack.layout.env.stat().st_mode) == 0o600
    for secret in (values["HYDRACORE_API_KEY"], values["HYDRACORE_OPS_TOKEN"]):
        assert secret not in stack.first_output
        for log in stack.layout.logs.iterdir():
            assert secret not in log.read_text()


def test_a_second_up_says_the_same(stack: Stack) -> None:
    before = stack.supervisor()
    again = stack.run("up")
    assert again.returncode == 0, again.stderr
    assert "already up" in again.stdout
    told = stack.first_output[stack.first_output.index("  API ") :]
    assert again.stdout.endswith(told)
    assert stack.supervisor() == before


def test_up_with_another_kubeconfig_is_not_confused_by_our_own(stack: Stack) -> None:
    values = read_env(stack.layout.env)
    environ = {**stack.environ, **values}
    again = command(environ, "up", "--state-dir", str(stack.layout.state_dir))
    assert "already up" in again.stdout


def test_an_instance_becomes_ready_and_what_up_printed_shows_it(
    stack: Stack, instance: dict[str, Any]
) -> None:
    assert instance["health_status"] == "healthy"
    assert instance["provisioning_stage"] == "healthy"
    line = next(line for line in stack.first_output.splitlines() if "get instances" in line)
    script = f"set -a; . '{stack.layout.env}'; set +a; {line}"
    shown = subprocess.run(
        ["sh", "-c", script], env=stack.environ, capture_output=True, text=True, check=False
    )
    assert shown.returncode == 0, shown.stderr
    assert "running" in shown.stdout


def test_keys_are_created_listed_and_revoked(stack: Stack) -> None:
    tenant = ("--tenant", "acme")
    created = stack.run("keys", "create", *tenant, "--name", "reader", "--scope", "instances:read")
    assert created.returncode == 0, created.stderr
    key = created.stdout.strip()
    key_id = created.stderr.split()[1]
    url = read_env(stack.layout.env)["HYDRACORE_API_URL"]
    with httpx.Client(base_url=url, headers={"X-Api-Key": key}, trust_env=False) as reader:
        assert reader.get("/v1/instances").status_code == 200
        assert reader.post("/v1/instances", json={}).status_code == 403
        listed = stack.run("keys", "list", *tenant).stdout
        assert "reader" in listed
        assert key not in listed
        assert stack.run("keys", "revoke", key_id).returncode == 0
        wait_for(lambda: reader.get("/v1/instances").status_code == 401, 15, "the key's end")
    again = stack.run("keys", "revoke", key_id)
    assert again.returncode == 1
    assert "was revoked before" in again.stderr


def test_a_bundle_goes_from_source_to_verified_by_the_command_line(
    stack: Stack, tmp_path: Path
) -> None:
    bundle = tmp_path / "bundle.tar.gz"
    plugin = tmp_path / "hello.py"
    plugin.write_text("NAME = 'hello'\n\n\ndef register(registry):\n    pass\n")
    version = ("--version", "0.9.0", "--out", str(bundle))
    assert command(stack.environ, "bundle", "build", *version).returncode == 0
    for verb in ("sign", "publish", "publish"):
        done = stack.run("bundle", verb, str(bundle))
        assert done.returncode == 0, done.stderr
    assert "published runtime-expressclaw-0.9.0" in done.stdout
    kubectl = load_kubectl(stack)
    wait_for(lambda: "True" in kubectl("get", "bundle", "runtime-expressclaw-0.9.0"), 30, "Ready")

    assert (
        command(stack.environ, "bundle", "build", *version, "--plugin", str(plugin)).returncode == 0
    )
    assert stack.run("bundle", "sign", str(bundle)).returncode == 0
    again = stack.run("bundle", "publish", str(bundle))
    assert again.returncode == 1
    assert "published versions never change" in again.stderr


def test_watching_without_a_rollout_says_how_to_start_one(stack: Stack) -> None:
    found = stack.run("rollouts", "watch")
    assert found.returncode == 1
    assert "has no Rollout yet" in found.stderr


def test_the_api_comes_back_after_a_crash(stack: Stack) -> None:
    def api() -> int | None:
        children = descendants(stack.supervisor())
        return next((pid for pid in children if argv_of(pid).endswith(b"\0api\0")), None)

    def answers() -> bool:
        with stack.rest() as rest, contextlib.suppress(httpx.HTTPError):
            return rest.get("/v1/instances").status_code == 200
        return False

    before = api()
    assert before is not None
    os.kill(before, signal.SIGKILL)
    after = wait_for(lambda: (now := api()) != before and now, 30, "another API process")
    wait_for(answers, 60, "the API to answer again")
    assert alive(after)


@pytest.mark.usefixtures("instance")
def test_down_leaves_no_process_and_may_be_repeated(stack: Stack) -> None:
    supervisor = stack.supervisor()
    servers = [record for _, record in records(stack.layout.servers)]
    mine = [supervisor, *descendants(supervisor)]
    for record in servers:
        mine += members(record)
    assert len(mine) > 6, "supervisor, etcd, API server, operator, API and a server's processes"
    done = stack.run("down")
    assert done.returncode == 0, done.stderr
    assert f"supervisor {supervisor}" in done.stdout
    assert "Stopped 1 local servers" in done.stdout
    assert [pid for pid in mine if alive(pid)] == []
    assert not is_held(stack.layout.supervisor_lock)
    again = stack.run("down")
    assert again.returncode == 0
    assert "was running" in again.stdout


def test_up_again_goes_on_with_the_same_data(stack: Stack, instance: dict[str, Any]) -> None:
    before = read_env(stack.layout.env)
    done = stack.run("up")
    assert done.returncode == 0, done.stdout + done.stderr
    assert read_env(stack.layout.env) == before
    record = next(record for _, record in records(stack.layout.servers))
    wait_for(lambda: members(record), 60, "the operator to switch the server on")
    with stack.rest() as rest:
        path = f"/v1/instances/{instance['id']}"
        wait_for(
            lambda: rest.get(path).json()["capabilities"], 90, "the agent to answer through REST"
        )


def test_a_broken_cluster_ends_the_stack_and_down_ends_the_rest(stack: Stack) -> None:
    supervisor = stack.supervisor()
    children = descendants(supervisor)
    etcd = next(pid for pid in children if b"--data-dir" in argv_of(pid))
    record = next(record for _, record in records(stack.layout.servers))
    os.kill(etcd, signal.SIGKILL)
    wait_for(lambda: not alive(supervisor), 60, "the supervisor's end")
    log = (stack.layout.logs / "supervisor.log").read_text()
    assert "the stack ends because its cluster broke: etcd ended" in log
    assert "Traceback" not in log
    own = {*children} - {*members(record)}
    assert [pid for pid in own if alive(pid)] == []
    assert members(record), "a local server survives its control plane"
    purged = stack.run("down", "--purge")
    assert purged.returncode == 0, purged.stderr
    assert "Stopped 1 local servers" in purged.stdout
    assert members(record) == []
    assert not stack.layout.root.exists()
    assert not stack.layout.env.exists()


def test_a_broken_kubeconfig_is_named_and_nothing_is_left(
    environ: dict[str, str], tmp_path: Path
) -> None:
    broken = tmp_path / "broken.yaml"
    broken.write_text("clusters: {")
    state_dir = tmp_path / "state"
    found = command({**environ, "KUBECONFIG": str(broken)}, "up", "--state-dir", str(state_dir))
    assert found.returncode == 1
    assert f"kubeconfig {broken}: it is not YAML" in found.stderr
    assert "Traceback" not in found.stderr
    assert not is_held(layout_of(state_dir).supervisor_lock)


def test_an_interrupted_up_leaves_nothing(environ: dict[str, str], tmp_path: Path) -> None:
    layout = layout_of(tmp_path / "state")
    with subprocess.Popen(
        [sys.executable, "-m", "hydracore_cli.main", "up", "--state-dir", str(layout.state_dir)],
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as up:
        assert up.stdout is not None
        assert "control plane" in up.stdout.readline()
        up.send_signal(signal.SIGSTOP)  # it must not be done before it is interrupted
        supervisor = load_record(layout.record)
        assert supervisor is not None
        children = descendants(supervisor.pid)
        assert children
        up.send_signal(signal.SIGINT)
        up.send_signal(signal.SIGCONT)
        assert up.wait(60) != 0
    assert [pid for pid in (supervisor.pid, *children) if alive(pid)] == []
    assert not is_held(layout.supervisor_lock)
