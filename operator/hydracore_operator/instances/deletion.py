"""Deletion: push stopped, server and artifacts gone, tombstone written, finalizer released."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import structlog

from hydracore_artifacts.errors import StoreUnavailable
from hydracore_crds import Instance, conditions
from hydracore_crds.base import set_condition
from hydracore_crds.names import FINALIZER
from hydracore_history import HistoryUnavailable
from hydracore_operator.instances.admission import holder_of_id
from hydracore_operator.instances.scope import Problem, Scope, problem_of
from hydracore_operator.instances.server import history_problem
from hydracore_operator.providers import Provider, Server, find_labels
from hydracore_operator.providers.base import INSTANCE_LABEL, NAMESPACE_LABEL
from hydracore_operator.providers.errors import ProviderError, ServerNotFoundError

PUSH_SECONDS = 60
"""How long the rollout engine may take to settle its target before deletion goes on anyway."""

STORE_AGAIN = timedelta(seconds=10)
"""When an object store that was away is asked again."""

_SECRET_ANNOTATIONS = ("kubectl.kubernetes.io/last-applied-configuration",)

log = structlog.get_logger(__name__)

Step = Callable[[Scope], Awaitable[Problem | None]]


async def delete(scope: Scope) -> timedelta | None:
    """Take the next steps of a deletion; return when to look again, None once it is let go.

    Every step can be repeated. What does not succeed keeps the finalizer, and the condition
    Ready says why.
    """
    obj = scope.instance
    if FINALIZER not in obj.metadata.finalizers:
        return None
    if obj.status.state != "deleting":
        await _say(scope, Problem(conditions.DELETING, "being deleted", timedelta(0)))
    for step in STEPS:
        problem = await _take(scope, step)
        if problem is not None:
            await _say(scope, problem)
            return problem.retry_after
    left = [f for f in scope.instance.metadata.finalizers if f != FINALIZER]
    await scope.ctx.kube.set_finalizers(scope.instance, left)
    scope.verdicts.forget(scope.instance_id)
    log.info("instance_deleted", instance=obj.key, id=scope.instance_id)
    return None


async def _take(scope: Scope, step: Step) -> Problem | None:
    try:
        return await step(scope)
    except ProviderError as error:
        return problem_of(error)
    except HistoryUnavailable as error:
        return history_problem(error)
    except StoreUnavailable as error:
        text = f"deletion waits: its artifacts are not deleted yet ({error})"
        return Problem(error.reason, text, STORE_AGAIN)


async def _say(scope: Scope, problem: Problem) -> None:
    """Write state and condition where they differ from what is stored."""
    status = scope.instance.status.model_copy(deep=True)
    status.observed_generation = scope.instance.metadata.generation
    status.state = "deleting"
    failing = problem.reason != conditions.DELETING
    status.error_code = problem.reason if failing else None
    status.error_message = problem.message if failing else None
    status.conditions = set_condition(
        status.conditions,
        conditions.READY,
        "False",
        reason=problem.reason,
        message=problem.message,
        now=scope.now,
        generation=scope.instance.metadata.generation,
    )
    scope.take(await scope.ctx.kube.update_status(scope.instance, status))


async def _push_settled(scope: Scope) -> Problem | None:
    """Wait until no target of this instance is in progress; bounded from the deletion on."""
    since = scope.instance.metadata.deletion_timestamp
    if since is None or scope.now - since > timedelta(seconds=PUSH_SECONDS):
        return None
    for target in scope.ctx.stores.targets.in_namespace(scope.namespace):
        mine = target.spec.instance_id == scope.instance_id
        if mine and target.status.state == "in_progress":
            return Problem(
                conditions.PUSH_IN_PROGRESS,
                f"the push of {target.metadata.name} is being stopped first",
                timedelta(seconds=1),
            )
    return None


async def _server_gone(scope: Scope) -> Problem | None:
    """Delete the server, by its stored id or, where none was stored, found by its labels."""
    if not scope.instance_id:
        return None  # nothing is ever ordered before the id is stored
    stored = scope.instance.status.provider
    providers = [scope.providers.get(stored.name)] if stored else scope.providers.all()
    for provider in providers:
        found = await _find(scope, provider)
        if found is not None:
            scope.ctx.epoch()
            try:
                await provider.delete(found.id)
            except ServerNotFoundError:
                continue
            log.info("server_deleted", instance=scope.instance.key, server=found.id)
    return None


async def _find(scope: Scope, provider: Provider) -> Server | None:
    """Return this Instance's own server, if it is still there; never one of another's."""
    labels = find_labels(scope.ctx.settings.cluster_name, scope.instance_id)
    own = {**labels, NAMESPACE_LABEL: scope.namespace, INSTANCE_LABEL: scope.name}
    stored = scope.instance.status.provider
    if stored is not None and stored.server_id is not None:
        try:
            found = await provider.get(stored.server_id)
        except ServerNotFoundError:
            pass
        else:
            if own.items() <= found.labels.items():
                return found
    return await provider.find(own)


async def _artifacts_gone(scope: Scope) -> Problem | None:
    """Delete what the object store has of this Instance."""
    if not scope.instance_id or holder_of_id(scope) is not None:
        return None  # what lies there under this id belongs to another Instance
    scope.ctx.epoch()
    deleted = await scope.ctx.artifacts.instances.delete_all(scope.instance_id)
    if deleted:
        log.info("instance_artifacts_deleted", instance=scope.instance.key, objects=deleted)
    return None


async def _remembered(scope: Scope) -> Problem | None:
    """Write tombstone and snapshot; then remove what only a living instance needs."""
    instance_id = scope.instance_id
    if not instance_id or holder_of_id(scope) is not None:
        return None  # what SQL has under this id belongs to another Instance
    history, namespace = scope.ctx.history, scope.ctx.stores.namespaces.get(scope.namespace)
    tenant = namespace.tenant_id if namespace is not None else None
    await history.provision_log.append(
        instance_id,
        stage=scope.instance.status.provisioning_stage or "ordered",
        level="info",
        message="deleted: its server is gone",
        at=scope.now,
        key="deleted",
    )
    await history.tombstones.put(
        instance_id,
        tenant_id=tenant or scope.namespace,
        namespace=scope.namespace,
        name=scope.name,
        customer_id=scope.instance.spec.customer_id,
        snapshot=snapshot(scope.instance),
        deleted_at=scope.now,
    )
    await history.credentials.remove(instance_id)
    await history.health.remove(instance_id)
    await history.stages.remove(instance_id)
    return None


def snapshot(instance: Instance) -> dict[str, Any]:
    """Return what is kept of an Instance: names, spec and last status; it holds no secrets."""
    wire = instance.to_wire()
    metadata = instance.metadata
    return {
        "apiVersion": wire["apiVersion"],
        "kind": wire["kind"],
        "metadata": {
            "name": metadata.name,
            "namespace": metadata.namespace,
            "uid": metadata.uid,
            "creationTimestamp": wire["metadata"].get("creationTimestamp"),
            "labels": metadata.labels,
            "annotations": {
                k: v for k, v in metadata.annotations.items() if k not in _SECRET_ANNOTATIONS
            },
        },
        "spec": wire["spec"],
        "status": wire.get("status", {}),
    }


STEPS: tuple[Step, ...] = (_push_settled, _server_gone, _artifacts_gone, _remembered)
