"""What an agent says of an action, and what that means for the InstanceAction."""

from __future__ import annotations

from dataclasses import dataclass

from hydracore_agentclient import ActionReport, DeepHealth
from hydracore_core.actions.model import Finish
from hydracore_core.actions.status import Facts
from hydracore_crds import conditions
from hydracore_crds.instance_action import (
    MAX_DETAIL_TEXT,
    MAX_DETAILS,
    Diagnostics,
    SubsystemReport,
)

NEVER_RAN = (
    "it is confirmed that it never ran and never will; create a new action if it still is to"
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an action ended, and what is known of it.

    Attributes:
        examined: The report of an agent that examined itself, whole.
    """

    finish: Finish
    facts: Facts
    examined: DeepHealth | None = None


def of_report(report: ActionReport) -> Outcome | None:
    """Return how an action ended; None while it is under way."""
    finish = _finish(report)
    if finish is None:
        return None
    facts = Facts(
        detail=report.detail or None,
        diagnostics=diagnostics(report.diagnostics) if report.diagnostics else None,
        finished_at=report.finished_at,
    )
    return Outcome(finish, facts, report.diagnostics)


def _finish(report: ActionReport) -> Finish | None:
    if report.state == "succeeded":
        return Finish("succeeded", conditions.COMPLETED, report.message or "done")
    if report.state == "failed":
        return Finish(
            "failed", conditions.ACTION_FAILED, report.message or "the agent says no more"
        )
    if report.state == "interrupted":
        text = report.message or "the agent's process ended while it ran"
        return Finish("uncertain", conditions.NO_EVIDENCE, text)
    if report.state == "abandoned":
        return Finish("failed", conditions.NOT_CARRIED_OUT, NEVER_RAN)
    return None


def diagnostics(found: DeepHealth) -> Diagnostics:
    """Return a deep health report in the form of the custom resource, cut to its bounds."""
    return Diagnostics(
        status=found.status,
        checked_at=found.checked_at,
        uptime_seconds=int(found.uptime_seconds),
        subsystems={
            name[:63]: SubsystemReport(
                status=one.status,
                message=(one.message or "")[:MAX_DETAIL_TEXT],
                latency_us=None if one.latency_ms is None else round(one.latency_ms * 1000),
            )
            for name, one in list(found.subsystems.items())[:MAX_DETAILS]
            if name
        },
    )
