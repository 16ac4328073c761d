"""Phase: what the server reported on its way, and whether one of its stages is stuck."""

from __future__ import annotations

from datetime import datetime, timedelta

from hydracore_crds import conditions
from hydracore_crds.instance import STAGES, ProvisioningStage
from hydracore_history import HistoryUnavailable, StageReport
from hydracore_operator.instances.scope import Problem, Scope
from hydracore_operator.instances.server import history_problem

STAGE_LIMITS: dict[ProvisioningStage, timedelta] = {
    "ordered": timedelta(minutes=5),
    "booting": timedelta(minutes=5),
    "cloud_init": timedelta(minutes=10),
    "agent_enrolled": timedelta(minutes=10),
    "bundle_installed": timedelta(minutes=5),
}
"""How long each stage may last before the Instance counts as failed; late ones still count."""

NEXT_STEPS: dict[ProvisioningStage, str] = {
    "ordered": (
        "The server has not called. Check that it runs and that it can reach the API "
        "(HYDRACORE_AGENT_API_URL of the operator)"
    ),
    "booting": "Check the console of the server: its first boot does not go on",
    "cloud_init": (
        "The agent could not enrol. Check that the server can reach the API; a bootstrap token "
        "that was used before is refused: then delete the Instance and create it again"
    ),
    "agent_enrolled": (
        "The runtime was not installed. Check that the API serves the class's bundle and that "
        "its signing key is among the trusted keys"
    ),
    "bundle_installed": (
        "The runtime does not become healthy. Check the agent's log on the server, and that "
        "operator and API reach its address"
    ),
}

POLL = timedelta(seconds=2)
"""How often a server that is being set up is looked after."""


async def enrolment(scope: Scope) -> bool:
    """Read credential and stage. Where SQL is away, what was known before still holds."""
    try:
        credentials = scope.ctx.history.credentials
        scope.credential, scope.stage = await credentials.with_stage(scope.instance_id)
    except HistoryUnavailable as error:
        scope.history_problem = history_problem(error)
        scope.come_again(scope.history_problem.retry_after)
    if scope.instance.status.ready_at is None:
        scope.come_again(POLL)
    return True


def stage_of(report: StageReport | None) -> ProvisioningStage:
    """Return the stage that a report stands for.

    ``healthy`` is what the operator has seen itself, so a report of it counts as the one before.
    """
    if report is None:
        return "ordered"
    known: ProvisioningStage = next((s for s in STAGES if s == report.stage), "ordered")
    return "bundle_installed" if known == "healthy" else known


def overdue(report: StageReport | None, created_at: datetime, now: datetime) -> Problem | None:
    """Say whether the stage has lasted too long, with its last line and what to do.

    Args:
        report: The newest stage report.
        created_at: When the server was created.
        now: The time.
    """
    stage = stage_of(report)
    since = created_at if report is None else max(created_at, report.since)
    limit = STAGE_LIMITS[stage]
    if now - since <= limit:
        return None
    last = report.message if report and report.message else "it never reported anything"
    minutes = int(limit.total_seconds() // 60)
    return Problem(
        conditions.BOOTSTRAP_TIMEOUT,
        f"the stage {stage} has lasted more than {minutes} min; last report: {last[:500]}. "
        f"{NEXT_STEPS[stage]}",
        timedelta(seconds=15),
        fatal=True,
    )
