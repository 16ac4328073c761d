"""An agent that posts events with its key."""

from __future__ import annotations

import json
from typing import Any

import httpx

from hydracore_api.auth.agents import hash_token
from hydracore_crds import Instance
from tests.api.support.world import World

KEY = "hca_" + "k" * 43


async def enrolled(world: World, instance: Instance, key: str = KEY) -> Instance:
    """Give an instance's agent a key."""
    assert instance.spec.id is not None
    name = instance.metadata.name
    await world.history.credentials.arm(
        instance.spec.id, namespace="acme", name=name, token_hash=f"token of {name}"
    )
    await world.history.credentials.issue_key(
        instance.spec.id, key_hash=hash_token(key), public_key="A" * 43 + "=", at=world.clock()
    )
    return instance


async def post(
    world: World, what: str, instance: Instance, *events: dict[str, Any], key: str = KEY
) -> httpx.Response:
    """Post a batch to ``/agent/v1/<what>``."""
    # Escaped by us: what is no valid text shall arrive too.
    content = json.dumps({"instance_id": instance.spec.id, "events": events}).encode()
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    return await world.call("POST", f"/agent/v1/{what}", headers=headers, content=content)


def usage(id_: str = "e-1", **changes: Any) -> dict[str, Any]:
    return {
        "event_id": id_,
        "occurred_at": "2030-05-01T11:59:00Z",
        "provider": "openai",
        "model": "small",
        "input_tokens": 10,
        "output_tokens": 5,
        "cost_usd": "0.000000001",
        "end_user_id": "u-1",
        **changes,
    }


def audit(id_: str = "e-1", **changes: Any) -> dict[str, Any]:
    return {
        "event_id": id_,
        "event_ts": "2030-05-01T11:59:00Z",
        "event_type": "tool_call",
        "source": "mcp",
        "outcome": "success",
        **changes,
    }
