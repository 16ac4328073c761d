"""Tenants of Instances that have been ready once, each with a simulated agent."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from bench.apiserver import CONNECTIONS, Raw
from bench.plane import Plane
from hydracore_artifacts.signing import BundleSigner
from hydracore_cli.stack.content import CLASS_NAME, REGION, ensure_class, ensure_tenant
from hydracore_crds import Bundle, ObjectMeta
from hydracore_crds.bundle import Artifact, BundleSpec, bundle_name
from hydracore_crds.names import FINALIZER
from hydracore_operator.providers import server_labels, server_name
from hydracore_operator.providers.local.machine import RECORD_FILE, stat_of
from hydracore_operator.providers.local.record import ServerRecord
from hydracore_operator.rollouts.writes import bounded
from tests.simulation.process import AgentAddress

API = "/apis/hydracore.io/v1alpha1"
SLUG = "expressclaw"
FIRST = "1.0.0"
SINCE = "2030-01-01T00:00:00.000Z"


async def create_tenant(
    plane: Plane,
    raw: Raw,
    name: str,
    agents: Sequence[AgentAddress],
    *,
    parallel: int,
    machine: int,
) -> None:
    """Create a tenant, its policy, and one running Instance with its server for each agent.

    The local provider finds a record of each server; the fleet's process stands for its machine.
    """
    await ensure_tenant(plane.admin, name)
    policy = {
        "apiVersion": "hydracore.io/v1alpha1",
        "kind": "UpdatePolicy",
        "metadata": {"name": "default"},
        "spec": {"maxParallelRollouts": parallel},
    }
    await raw.send("POST", f"{API}/namespaces/{name}/updatepolicies", policy)
    root = f"{API}/namespaces/{name}/instances"

    async def create(number: int, agent: AgentAddress) -> None:
        made = f"agent-{number:05d}"
        await raw.send("POST", root, _instance(made, agent))
        server = _server(plane, name, made, agent, machine)
        body = {"status": _status(server, agent)}
        await raw.send("PATCH", f"{root}/{made}/status", body)

    jobs = [lambda n=n, a=a: create(n, a) for n, a in enumerate(agents)]
    for result in await bounded(jobs, at_once=CONNECTIONS):
        if isinstance(result, Exception):
            raise result


async def create_class(plane: Plane, bundle: str) -> None:
    """Create the class of all these Instances."""
    await ensure_class(plane.admin, bundle)


async def publish(plane: Plane, version: str) -> Bundle:
    """Publish a runtime of this version: small, since simulated agents do not fetch it."""
    data = secrets.token_bytes(1000)
    path = plane.layout.bundles / f"{version}.bin"
    path.write_bytes(data)
    sha256 = hashlib.sha256(data).hexdigest()
    signer = BundleSigner.load(plane.layout.signing_key)
    artifact = Artifact(
        uri=await plane.store.put(sha256, path), sha256=sha256, size_bytes=len(data)
    )
    spec = BundleSpec(
        component="runtime",
        slug=SLUG,
        version=version,
        artifact=artifact,
        signature=signer.sign(sha256),
    )
    name = bundle_name("runtime", SLUG, version)
    return await plane.admin.create(Bundle(metadata=ObjectMeta(name=name), spec=spec))


def _instance(name: str, agent: AgentAddress) -> dict[str, Any]:
    return {
        "apiVersion": "hydracore.io/v1alpha1",
        "kind": "Instance",
        "metadata": {"name": name, "finalizers": [FINALIZER]},
        "spec": {
            "id": agent.instance_id,
            "className": CLASS_NAME,
            "regionId": REGION,
            "runtimeType": SLUG,
            "agentName": f"Agent {name}",
        },
    }


def _server(
    plane: Plane, namespace: str, name: str, agent: AgentAddress, machine: int
) -> ServerRecord:
    """Write the record of a server that runs, as the local provider does."""
    host, _, port = agent.url.removeprefix("http://").rpartition(":")
    full = server_name(name, agent.instance_id)
    found = stat_of(machine)
    assert found is not None, "the simulated fleet has ended"
    record = ServerRecord(
        id=f"{full}.bench",
        name=full,
        labels=server_labels("local", namespace, name, agent.instance_id),
        host=host,
        port=int(port),
        server_type="process",
        location="this-machine",
        created_at=datetime.now(UTC),
    )
    folder = plane.layout.servers / full
    folder.mkdir()
    started = {"machine": {"pid": machine, "startTime": found[3]}}
    (folder / RECORD_FILE).write_text(json.dumps({**record.to_json(), **started}))
    return record


def _status(server: ServerRecord, agent: AgentAddress) -> dict[str, Any]:
    """Return what the operator writes for an Instance whose agent was seen healthy."""
    return {
        "state": "running",
        "provisioningStage": "healthy",
        "provider": {
            "name": "local",
            "serverId": server.id,
            "serverType": server.server_type,
            "location": server.location,
        },
        "hostname": server.name,
        "ipAddress": server.host,
        "agentUrl": agent.url,
        "agentPublicKey": agent.public_key,
        "runtime": {"version": FIRST, "bundleHash": "0" * 64},
        "healthStatus": "healthy",
        "readyAt": SINCE,
        "observedGeneration": 1,
    }
