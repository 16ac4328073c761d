"""The status of an Instance: computed once, at the end, from what the phases have found."""

from __future__ import annotations

from hydracore_crds import conditions
from hydracore_crds.base import find
from hydracore_crds.instance import (
    Bootstrap,
    InstanceState,
    InstanceStatus,
    ProviderStatus,
    RuntimeStatus,
)
from hydracore_operator.instances.enrolment import stage_of
from hydracore_operator.instances.judgement import judge
from hydracore_operator.instances.scope import Scope
from hydracore_operator.providers import server_name

_NO_ERROR = frozenset(
    {
        conditions.PROVISIONING,
        conditions.WAITING_FOR_AGENT,
        conditions.HEALTHY,
        conditions.HISTORY_UNAVAILABLE,
    }
)
"""Reasons of Ready that are no errors: waiting, or fine."""


def compute(scope: Scope) -> InstanceStatus:
    """Return the whole status; equal to the stored one where nothing has changed."""
    status = scope.instance.status.model_copy(deep=True)
    status.observed_generation = scope.instance.metadata.generation
    _server(scope, status)
    _agent(scope, status)
    status.conditions = judge(scope, status)
    ready = find(status.conditions, conditions.READY)
    if ready is not None and ready.status == "True" and status.ready_at is None:
        status.ready_at = scope.now
    if status.ready_at is not None:
        status.provisioning_stage = "healthy"
    status.state = _state(scope, status)
    failing = ready is not None and ready.status != "True" and ready.reason not in _NO_ERROR
    status.error_code = ready.reason if ready is not None and failing else None
    status.error_message = ready.message if ready is not None and failing else None
    return status


def _server(scope: Scope, status: InstanceStatus) -> None:
    if scope.ordering and scope.class_ is not None:
        status.provider = ProviderStatus(
            name=scope.class_.spec.provider,
            server_type=scope.class_.spec.server_type,
            location=scope.class_.spec.regions.get(scope.instance.spec.region_id),
        )
        status.hostname = server_name(scope.name, scope.instance_id)
    server = scope.server
    if server is not None and status.provider is not None:
        status.provider.server_id = server.id
        status.provider.server_type = server.server_type
        status.provider.location = server.location
        status.hostname = server.name
        status.ip_address = server.ip_address
        status.agent_url = server.agent_url


def _agent(scope: Scope, status: InstanceStatus) -> None:
    status.agent_public_key = scope.public_key
    if scope.stage is not None:
        status.bootstrap = Bootstrap(stage=scope.stage.stage[:253], seq=scope.stage.seq)
    if scope.stage is not None or status.provisioning_stage is None:
        status.provisioning_stage = stage_of(scope.stage)
    if scope.verdict is None:
        status.health_status = status.health_status or "unknown"
        return
    status.health_status = scope.verdict.health
    if scope.verdict.bundle_hash is not None:
        status.runtime = RuntimeStatus(
            version=scope.verdict.version, bundle_hash=scope.verdict.bundle_hash
        )


def _state(scope: Scope, status: InstanceStatus) -> InstanceState:
    problem = scope.server_problem
    if problem is not None and problem.reason == conditions.SERVER_LOST:
        return "error"
    if status.ready_at is not None:
        return "running" if problem is None or status.state != "error" else "error"
    problems = (scope.admission_problem, problem, scope.overdue)
    return "failed" if any(p is not None and p.fatal for p in problems) else "provisioning"
