"""Phase: what the agent is and runs, by its own proved word."""

from __future__ import annotations

from hydracore_agentclient import AgentEndpoint, AgentError, InvalidAnswer, WrongIdentity
from hydracore_operator.health.verdicts import Verdict, from_error, from_status
from hydracore_operator.instances.enrolment import overdue
from hydracore_operator.instances.scope import Scope


async def agent(scope: Scope) -> bool:
    """Take the health loop's verdict, or ask the agent where there is none yet.

    An agent that was Ready before is left to the health loop, which asks again and counts: one
    answer, or none, says nothing yet.
    """
    scope.verdict = scope.verdicts.get(scope.instance_id)
    first = scope.instance.status.ready_at is None
    if scope.verdict is None and first and scope.public_key is not None:
        scope.verdict = await _ask(scope, scope.public_key)
    ready = scope.verdict is not None and scope.verdict.good
    if scope.server is not None and scope.instance.status.ready_at is None and not ready:
        scope.overdue = overdue(scope.stage, scope.server.created_at, scope.now)
    return True


async def _ask(scope: Scope, public_key: str) -> Verdict | None:
    if scope.agent_url is None:
        return None
    endpoint = AgentEndpoint(scope.agent_url, scope.instance_id, public_key)
    try:
        return from_status(await scope.ctx.agents.status(endpoint))
    except (WrongIdentity, InvalidAnswer) as error:
        return from_error(error)
    except AgentError:
        return None  # the runtime is still being installed
