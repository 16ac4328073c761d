"""Random requests made from the API's own document, against the real server on both databases."""

from __future__ import annotations

import asyncio
import json
import os
import sysconfig
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from hydracore_api.auth.keys import create_api_key
from hydracore_crds import Instance
from hydracore_history import History
from hydracore_kube import KubeClient
from tests.api.support import fake_agent
from tests.api.support.fake_agent import FakeAgent
from tests.api.support.files import OPS_TOKEN, SECRET, make_settings
from tests.api.support.live import CLASS, SLUG, publish
from tests.api.support.process import environment, listening, process
from tests.api.support.world import START
from tests.faults.waiting import until
from tests.support.databases import (
    database_url,
    postgres_model,
    postgres_url,
    sqlite_model,
    sqlite_url,
)

__all__ = ["database_url", "postgres_model", "postgres_url", "sqlite_model", "sqlite_url"]
pytestmark = [pytest.mark.cluster, pytest.mark.first, pytest.mark.fault(35)]

EXAMPLES = int(os.environ.get("HYDRACORE_FUZZ_EXAMPLES", "8"))
"""Requests for each operation beside the systematic ones."""
SEED = os.environ.get("HYDRACORE_FUZZ_SEED", "20")
RUN_SECONDS = 600.0
READY_SECONDS = 30.0
PROGRAM = Path(sysconfig.get_path("scripts")) / "schemathesis"
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)


@dataclass
class Served:
    """The server, and what a request needs to get past its first checks."""

    url: str
    key: str
    instance_id: str
    doomed_id: str
    rollout_id: str
    agent: FakeAgent
    log: Path


@pytest.fixture
async def served(
    api_kubeconfig: str, admin_kubeconfig: str, namespace: str, tmp_path: Path, database_url: str
) -> AsyncIterator[Served]:
    settings = make_settings(tmp_path, kubeconfig=api_kubeconfig, database_url=database_url)
    listen_file, log = tmp_path / "url", tmp_path / "api.log"
    more = {
        "HYDRACORE_KUBECONFIG": api_kubeconfig,
        "HYDRACORE_LISTEN_FILE": str(listen_file),
        # No operator runs: what waits for its work shall not wait long.
        "HYDRACORE_ROLLOUT_WAIT_SECONDS": "0.1",
        "HYDRACORE_ACTION_WAIT_SECONDS": "0.1",
        "HYDRACORE_SMOKE_NAMESPACE": namespace,
        "HYDRACORE_SMOKE_CUSTOMER_ID": "smoke",
    }
    key = await _key(database_url, namespace)
    async with _instances(admin_kubeconfig, namespace) as (agent, doomed_id):
        with log.open("wb") as stderr:
            async with process(environment(settings, **more), stderr) as running:
                url = await listening(running, listen_file)
                rollout_id = await _rollout(url, key)
                yield Served(url, key, agent.instance_id, doomed_id, rollout_id, agent, log)


async def test_no_request_is_answered_in_a_way_that_the_document_does_not_tell(
    served: Served, tmp_path: Path
) -> None:
    """Valid and invalid requests for every operation: no 5xx of ours, no other status or shape."""
    config = tmp_path / "schemathesis.toml"
    config.write_text(_config(served))
    env = {"PATH": os.defpath, "HOME": str(tmp_path), "NO_COLOR": "1"}
    run = await asyncio.create_subprocess_exec(
        *(PROGRAM, "--config-file", config, "run", f"{served.url}/openapi.json"),
        *("--checks", ",".join(CHECKS), "--seed", SEED, "--max-examples", str(EXAMPLES)),
        *("--continue-on-failure", "--phases", "examples,coverage,fuzzing"),
        *("--request-timeout", "30", "--generation-database", "none"),
        cwd=tmp_path,
        env=env,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(RUN_SECONDS):
            said, _ = await run.communicate()
    finally:
        if run.returncode is None:
            run.kill()
    assert run.returncode == 0, said.decode()
    lines = [json.loads(line) for line in served.log.read_text().splitlines() if line[:1] == "{"]
    assert [line for line in lines if line["level"] == "error"] == []
    assert served.agent.chats, "requests came as far as the agent"


def _config(served: Served) -> str:
    """Return settings with which half of the requests name an instance that is there."""
    return f"""
headers = {{ X-Api-Key = "{served.key}" }}
[dictionaries]
instances = {{ values = ["{served.instance_id}"] }}
rollouts = {{ values = ["{served.rollout_id}"] }}
classes = {{ values = ["{CLASS}"] }}
regions = {{ values = ["eu-1"] }}
[parameters]
"path.instance_id" = {{ dictionary = "instances", probability = 0.8 }}
"path.rollout_id" = {{ dictionary = "rollouts", probability = 0.8 }}
"body.tier_id" = {{ dictionary = "classes", probability = 0.8 }}
"body.region_id" = {{ dictionary = "regions", probability = 0.8 }}
[checks]
# An agent that is away and a database that is down are told as such; anything else is our fault.
not_a_server_error.expected-statuses = ["2xx", "3xx", "4xx", 502, 504]
[[operations]]
include-name = "DELETE /v1/instances/{{instance_id}}"
parameters = {{ "path.instance_id" = "{served.doomed_id}" }}
[[operations]]
include-path-regex = "^/internal"
headers = {{ Authorization = "Bearer {OPS_TOKEN}" }}
"""


async def _key(database_url: str, namespace: str) -> str:
    history = History(database_url)
    _, key = await create_api_key(
        history,
        SECRET,
        tenant_id=namespace,
        namespace=namespace,
        name="fuzz",
        scopes=["instances:*"],
        admin=True,
        tenant_wide=True,
        created_by="tests",
        at=START,
    )
    await history.close()
    return key


@asynccontextmanager
async def _instances(kubeconfig: str, namespace: str) -> AsyncIterator[tuple[FakeAgent, str]]:
    """Have an Instance that runs, with an agent that answers, and one to delete; yield its id."""
    admin = await KubeClient.connect(kubeconfig, field_manager="tests")
    try:
        await publish(admin)
        ids = {name: await _create(admin, namespace, name) for name in ("fuzzed", "doomed")}
        async with fake_agent.running(FakeAgent(ids["fuzzed"])) as agent:
            agent.answers.set()
            status = {
                "state": "running",
                "agentUrl": agent.url,
                "agentPublicKey": agent.public_key,
                "healthStatus": "healthy",
            }
            body = {"status": status}
            await admin.patch(Instance, "fuzzed", namespace, body, subresource="status")
            yield agent, ids["doomed"]
    finally:
        await admin.close()


async def _create(admin: KubeClient, namespace: str, name: str) -> str:
    wire = {
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"className": CLASS, "regionId": "eu-1", "runtimeType": SLUG},
    }
    return str((await admin.create(Instance.model_validate(wire))).metadata.uid)


async def _rollout(url: str, key: str) -> str:
    """Begin a rollout once the API is ready; nobody carries it out. Return its id."""
    fleet = "/v1/instances/fleet/runtime"
    headers = {"X-Api-Key": key}
    async with httpx.AsyncClient(base_url=url, trust_env=False, headers=headers) as client:

        async def ready() -> bool:
            return (await client.get("/readyz")).is_success

        await until(ready, "the API to be ready", READY_SECONDS)
        began = await client.post(f"{fleet}/rollout")
        assert began.status_code == 202, began.text

        async def listed() -> list[dict[str, str]]:
            found: list[dict[str, str]] = (await client.get(f"{fleet}/rollouts")).json()
            return found

        (one,) = await until(listed, "the rollout to be listed", READY_SECONDS)
        return one["id"]
