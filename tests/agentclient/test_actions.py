"""Actions over the wire: what is sent, what is believed."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from hydracore_agentclient import (
    ActionCommand,
    AgentClient,
    AgentProfile,
    InvalidAnswer,
    Refused,
)
from tests.agentclient.agents import Identity, Request, serving

NOT_AFTER = datetime(2030, 1, 1, tzinfo=UTC)


def report(action_id: str, **changes: Any) -> dict[str, Any]:
    return {"actionId": action_id, "action": "reboot", "state": "accepted", "final": False,
            "startedAt": "2030-01-01T00:00:00Z", **changes}  # fmt: skip


async def test_each_call_has_its_path_and_body(client: AgentClient) -> None:
    agent, id_, seen = Identity(), str(uuid4()), []

    async def talk(request: Request, writer: asyncio.StreamWriter) -> None:
        seen.append((request.method, request.path, json.loads(request.body or b"null")))
        writer.write(agent.answer(request, report(id_)))

    config = AgentProfile(agent_name="Ada")
    base = {"action_id": id_, "epoch": 3, "not_after": NOT_AFTER}
    async with serving(talk) as url:
        ep = agent.endpoint(url)
        await client.run_action(ep, ActionCommand(action="power-cycle", **base))
        updates = ActionCommand(action="apply-updates", config=config, force=True, **base)
        await client.run_action(ep, updates)
        await client.action(ep, id_)
        await client.settle_action(ep, id_, 4)
    wire = {"actionId": id_, "epoch": 3, "notAfter": 1893456000}
    plain = {"force": False, "restartAgent": False}
    told = {"agentName": "Ada", "workflowSlugs": []}
    assert seen == [
        ("POST", "/api/actions/power-cycle", {**wire, **plain}),
        ("POST", "/api/updates/apply", {**wire, **plain, "force": True, "config": told}),
        ("GET", f"/api/actions/{id_}", None),
        ("POST", f"/api/actions/{id_}/settle", {"epoch": 4}),
    ]


async def test_the_report_of_another_action_is_not_believed(client: AgentClient) -> None:
    agent = Identity()

    async def talk(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(agent.answer(request, report(str(uuid4()))))

    async with serving(talk) as url:
        with pytest.raises(InvalidAnswer, match="asked was"):
            await client.action(agent.endpoint(url), str(uuid4()))


async def test_a_refusal_says_why(client: AgentClient) -> None:
    agent = Identity()

    async def talk(request: Request, writer: asyncio.StreamWriter) -> None:
        body = {"code": "busy", "message": "a task is under way"}
        writer.write(agent.answer(request, body, status=409))

    command = ActionCommand(
        action="power-cycle", action_id=str(uuid4()), epoch=1, not_after=NOT_AFTER
    )
    async with serving(talk) as url:
        with pytest.raises(Refused) as caught:
            await client.run_action(agent.endpoint(url), command)
    assert (caught.value.code, caught.value.message) == ("busy", "a task is under way")


@pytest.mark.parametrize("name", ["../status", "Power", "a/b", ""])
def test_an_action_s_name_is_one_segment(name: str) -> None:
    with pytest.raises(ValueError, match="action"):
        ActionCommand(action=name, action_id=str(uuid4()), epoch=1, not_after=NOT_AFTER)
