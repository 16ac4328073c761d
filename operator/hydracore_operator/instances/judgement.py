"""The conditions of an Instance, each from the facts that a reconcile has found."""

from __future__ import annotations

from dataclasses import dataclass

from hydracore_core.quarantine import quarantine_of
from hydracore_core.versions import available, is_newer, parse
from hydracore_crds import conditions
from hydracore_crds.base import Condition, ConditionStatus, find, set_condition
from hydracore_crds.instance import InstanceStatus
from hydracore_operator.instances.scope import Problem, Scope


@dataclass(frozen=True, slots=True)
class Finding:
    """What one condition is to say."""

    status: ConditionStatus
    reason: str
    message: str


def judge(scope: Scope, status: InstanceStatus) -> list[Condition]:
    """Return all conditions for a status whose other fields are already filled in.

    A condition on which this reconcile has found out nothing stays as it is.
    """
    stored = status.conditions
    findings = {
        conditions.SERVER_PROVISIONED: _server(scope, status, stored),
        conditions.AGENT_ENROLLED: _enrolled(scope, status),
        conditions.AGENT_HEALTHY: _healthy(scope, status, stored),
        conditions.UP_TO_DATE: _up_to_date(scope, status),
    }
    findings[conditions.READY] = _ready(findings)
    out = stored
    for type_, finding in findings.items():
        out = set_condition(
            out,
            type_,
            finding.status,
            reason=finding.reason,
            message=finding.message,
            now=scope.now,
            generation=scope.instance.metadata.generation,
        )
    return out


def _no(problem: Problem) -> Finding:
    return Finding("False", problem.reason, problem.message)


def _server(scope: Scope, status: InstanceStatus, stored: list[Condition]) -> Finding:
    problem = scope.server_problem or scope.admission_problem
    if problem is not None:
        return _no(problem)
    if scope.server is not None:
        return Finding(
            "True",
            conditions.PROVISIONED,
            f"the server {scope.server.name} is there, at {scope.server.ip_address}",
        )
    old = find(stored, conditions.SERVER_PROVISIONED)
    if old is not None and status.provider is not None and status.provider.server_id is not None:
        return Finding(old.status, old.reason, old.message)
    name = status.provider.name if status.provider else "its provider"
    return Finding(
        "False", conditions.PROVISIONING, f"the server {status.hostname} is ordered from {name}"
    )


def _enrolled(scope: Scope, status: InstanceStatus) -> Finding:
    if status.agent_public_key is not None:
        return Finding("True", conditions.ENROLLED, "the agent has fetched its key")
    if scope.overdue is not None:
        return _no(scope.overdue)
    if scope.history_problem is not None:
        return Finding("Unknown", scope.history_problem.reason, scope.history_problem.message)
    return Finding("False", conditions.WAITING_FOR_AGENT, _progress(scope))


def _healthy(scope: Scope, status: InstanceStatus, stored: list[Condition]) -> Finding:
    verdict = scope.verdict
    if verdict is not None and (not verdict.good or status.runtime is not None):
        return Finding("True" if verdict.good else "False", verdict.reason, verdict.message[:1024])
    if scope.overdue is not None:
        return _no(scope.overdue)
    old = find(stored, conditions.AGENT_HEALTHY)
    if old is not None and status.ready_at is not None:
        return Finding(old.status, old.reason, old.message)
    return Finding("Unknown", conditions.WAITING_FOR_AGENT, _progress(scope))


def _progress(scope: Scope) -> str:
    if scope.server is None:
        return "there is no server yet"
    if scope.stage is None:
        return "the server has not reported yet"
    return f"{scope.stage.stage}: {scope.stage.message[:500]}"


def _up_to_date(scope: Scope, status: InstanceStatus) -> Finding:
    running = parse(status.runtime.version) if status.runtime else None
    if running is None:
        return Finding("Unknown", conditions.NOT_REPORTED, "the agent has reported no runtime yet")
    slug = scope.instance.spec.runtime_type
    offered = available(scope.ctx.stores.bundles.all(), "runtime", slug)
    newer = offered is not None and is_newer(offered.spec.version, str(running))
    if newer and offered is not None and quarantine_of(offered) is not None:
        text = f"{slug} {running} runs; {offered.spec.version} is in quarantine"
        return Finding("True", conditions.CURRENT, text)
    if newer and offered is not None:
        return Finding(
            "False",
            conditions.UPDATE_AVAILABLE,
            f"{slug} {running} runs, {offered.spec.version} is available",
        )
    return Finding("True", conditions.CURRENT, f"nothing newer than {slug} {running} is available")


def _ready(findings: dict[str, Finding]) -> Finding:
    """Ready is derived: the first of the others that does not hold is the reason."""
    for type_ in (
        conditions.SERVER_PROVISIONED,
        conditions.AGENT_ENROLLED,
        conditions.AGENT_HEALTHY,
    ):
        finding = findings[type_]
        if finding.status != "True":
            return Finding("False", finding.reason, finding.message)
    healthy = findings[conditions.AGENT_HEALTHY]
    return Finding("True", healthy.reason, healthy.message)
