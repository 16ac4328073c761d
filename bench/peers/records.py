"""A rollout's custom resources through the official client, for contenders that block."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import kubernetes

from bench.peers.job import Agent, Bundle, Job
from bench.peers.orders import succeeded

GROUP, VERSION = "hydracore.io", "v1alpha1"
CREATORS = 32
SPARE = 4


class Records:
    """Reads Instances, writes Rollouts and RolloutTargets."""

    def __init__(self, job: Job) -> None:
        """Connect.

        The pool holds a connection for each caller, as the client's documentation advises for
        many threads; by default there are few, and others are made and thrown away.
        """
        self._job = job
        configuration = kubernetes.client.Configuration()
        kubernetes.config.load_kube_config(  # type: ignore[no-untyped-call]
            job.kubeconfig, client_configuration=configuration
        )
        configuration.connection_pool_maxsize = max(job.limit, CREATORS) + SPARE
        client = kubernetes.client.ApiClient(configuration)
        self._api: Any = kubernetes.client.CustomObjectsApi(client)

    def agents(self) -> list[Agent]:
        """List whom the rollout is for."""
        found = self._api.list_namespaced_custom_object(
            GROUP, VERSION, self._job.tenant, "instances"
        )
        return [_agent(one) for one in found["items"]]

    def agent(self, instance_name: str) -> Agent:
        """Read one Instance."""
        return _agent(
            self._api.get_namespaced_custom_object(
                GROUP, VERSION, self._job.tenant, "instances", instance_name
            )
        )

    def bundle(self, name: str) -> Bundle:
        """Read what is to be delivered."""
        spec = self._api.get_cluster_custom_object(GROUP, VERSION, "bundles", name)["spec"]
        return Bundle(
            slug=spec["slug"],
            version=spec["version"],
            sha256=spec["artifact"]["sha256"],
            size_bytes=spec["artifact"]["sizeBytes"],
            key_id=spec["signature"]["keyId"],
            signature=spec["signature"]["value"],
        )

    def rollout(self, name: str) -> dict[str, Any]:
        """Read the Rollout."""
        found: dict[str, Any] = self._api.get_namespaced_custom_object(
            GROUP, VERSION, self._job.namespace, "rollouts", name
        )
        return found

    def create_target(self, body: dict[str, Any]) -> None:
        """Create one RolloutTarget."""
        self._api.create_namespaced_custom_object(
            GROUP, VERSION, self._job.namespace, "rollouttargets", body
        )

    def create_targets(self, bodies: list[dict[str, Any]]) -> None:
        """Create many, some at once."""
        with ThreadPoolExecutor(CREATORS) as pool:
            list(pool.map(self.create_target, bodies))

    def store_target(self, name: str, status: dict[str, Any]) -> None:
        """Write a target's status."""
        self._store("rollouttargets", name, status)

    def store_rollout(self, name: str, status: dict[str, Any]) -> None:
        """Write the Rollout's status."""
        self._store("rollouts", name, status)

    def _store(self, plural: str, name: str, status: dict[str, Any]) -> None:
        self._api.patch_namespaced_custom_object_status(
            GROUP, VERSION, self._job.namespace, plural, name, {"status": status}
        )


def target(rollout: str, order: int, agent: Agent, bundle: Bundle) -> dict[str, Any]:
    """Return a new RolloutTarget; its owner is still to be named."""
    return {
        "apiVersion": f"{GROUP}/{VERSION}",
        "kind": "RolloutTarget",
        "metadata": {"name": f"{rollout}-{order:05d}"},
        "spec": {
            "rolloutName": rollout,
            "instanceName": agent.instance_name,
            "instanceId": agent.instance_id,
            "bundleHash": bundle.sha256,
            "order": order,
        },
    }


def owned_by(rollout: dict[str, Any], body: dict[str, Any]) -> dict[str, Any]:
    """Name a target's owner."""
    owner = {
        "apiVersion": rollout["apiVersion"],
        "kind": rollout["kind"],
        "name": rollout["metadata"]["name"],
        "uid": rollout["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }
    return {**body, "metadata": {**body["metadata"], "ownerReferences": [owner]}}


def begun() -> dict[str, Any]:
    """Return the status of a target whose order goes out next."""
    return {
        "state": "in_progress",
        "attempt": 1,
        "taskId": str(uuid4()),
        "startedAt": _now(),
        "conditions": [_condition("Unknown", "Running", "the order goes out")],
    }


def ended(report: dict[str, Any], bundle: Bundle) -> dict[str, Any]:
    """Return the status of a target whose agent has ended."""
    if succeeded(report, bundle):
        return {
            "state": "succeeded",
            "lastResultStatus": "activated",
            "completedAt": _now(),
            "conditions": [_condition("True", "Activated", "the agent runs it")],
        }
    why = f"{report['state']}: {report['message']}"
    return {
        "state": "failed",
        "lastResultStatus": "rejected",
        "errorMessage": why,
        "completedAt": _now(),
        "conditions": [_condition("False", "Failed", why)],
    }


def started(total: int) -> dict[str, Any]:
    """Return the status of a Rollout whose targets are all there."""
    return {
        "state": "in_progress",
        "targetsCreated": True,
        "startedAt": _now(),
        "counts": {"total": total, "queued": total},
    }


def complete(total: int, failed: int) -> dict[str, Any]:
    """Return the status of a Rollout whose targets have all ended."""
    good = failed == 0
    condition = _condition("True" if good else "False", "Complete", "all targets have ended")
    return {
        "state": "succeeded" if good else "failed",
        "completedAt": _now(),
        "counts": {"total": total, "queued": 0, "succeeded": total - failed, "failed": failed},
        "conditions": [condition],
    }


def _agent(instance: dict[str, Any]) -> Agent:
    return Agent(
        instance_name=instance["metadata"]["name"],
        instance_id=instance["spec"]["id"],
        url=instance["status"]["agentUrl"],
        public_key=instance["status"]["agentPublicKey"],
    )


def _condition(status: str, reason: str, message: str) -> dict[str, Any]:
    return {
        "type": "Succeeded",
        "status": status,
        "reason": reason,
        "message": message,
        "lastTransitionTime": _now(),
        "observedGeneration": 1,
    }


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
