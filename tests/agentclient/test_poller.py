"""Marked polls against agents that take them, refuse them, or lie."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from hydracore_agent import pollkeys as agents_half
from hydracore_agent.polls import PollAuth
from hydracore_agent.tokens import TokenError
from hydracore_agentclient import (
    AgentClient,
    AgentEndpoint,
    ControlPlaneKey,
    InvalidAnswer,
    WrongIdentity,
)
from hydracore_agentclient import pollkeys as planes_half
from hydracore_agentclient.poller import Poller
from tests.agentclient.agents import Request, http, serving
from tests.simulation.agents import AgentFleet

KEY = ControlPlaneKey(Ed25519PrivateKey.generate())


@pytest.fixture
async def client() -> AsyncIterator[AgentClient]:
    made = AgentClient(KEY, subject="operator", now=lambda: datetime.now(UTC))
    yield made
    await made.close()


def test_both_halves_agree_on_keys_that_are_this_instances_alone() -> None:
    plane, agent = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    ours = planes_half.agree(plane, agent.public_key(), "i")
    theirs = agents_half.agree(agent, plane.public_key(), "i")
    assert (ours.request, ours.answer) == (theirs.request, theirs.answer)
    assert len({ours.request, ours.answer}) == 2
    assert planes_half.agree(plane, agent.public_key(), "j").request != ours.request
    stranger = Ed25519PrivateKey.generate()
    assert planes_half.agree(stranger, agent.public_key(), "i").request != ours.request
    assert "request=" not in repr(ours)


@pytest.mark.parametrize("half", [planes_half, agents_half])
def test_the_public_key_is_that_of_the_private_one_on_the_other_curve(half: Any) -> None:
    for _ in range(50):
        key = Ed25519PrivateKey.generate()
        mine = half.montgomery_private(key).public_key().public_bytes_raw()
        assert half.montgomery_public(key.public_key()).public_bytes_raw() == mine


@pytest.mark.parametrize("point", [b"\x01" + bytes(31), bytes(32)])
def test_with_a_degenerate_point_nothing_is_agreed(point: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - of the library, whatever it says
        planes_half.agree(
            Ed25519PrivateKey.generate(), Ed25519PublicKey.from_public_bytes(point), "i"
        )


async def test_a_poll_brings_the_status_without_a_signature(client: AgentClient) -> None:
    async with AgentFleet(KEY) as fleet:
        agent = fleet.add()
        status = await client.poll(fleet.endpoint(agent))
        assert (status.instance_id, status.bundle_hash) == (agent.instance_id, agent.digest)
        assert fleet.oracle.asked == 1


async def test_an_agent_without_marked_polls_is_asked_with_a_signature(
    client: AgentClient,
) -> None:
    async with AgentFleet(KEY) as fleet:
        agent = fleet.add()
        agent.takes_polls = False
        for expected in (2, 3):  # the second time at once with a signature
            assert (await client.poll(fleet.endpoint(agent))).healthy
            assert fleet.oracle.asked == expected


async def test_a_stranger_cannot_answer_a_poll(client: AgentClient) -> None:
    async with AgentFleet(KEY) as fleet:
        agent = fleet.add()
        agent.faults.wrong_identity = True
        with pytest.raises(WrongIdentity):
            await client.poll(fleet.endpoint(agent))


def _answered(request: Request, endpoint: AgentEndpoint, agent: Any, **change: Any) -> bytes:
    """An answer of the agent's own, with parts of what its mark covers replaced."""
    plane = Ed25519PublicKey.from_public_bytes(base64.b64decode(KEY.public_key_base64))
    keys = agents_half.agree(agent, plane, change.get("instance", endpoint.instance_id))
    nonce = change.get("nonce", request.headers["authorization"].split(".")[4])
    body = b'{"instanceId": "%s", "healthy": true, "healthStatus": "healthy"}' % (
        change.get("names", endpoint.instance_id).encode()
    )
    key = keys.request if change.get("reflected") else keys.answer
    tag = change.get("tag", "")
    mark = agents_half.answer_mark(
        key,
        endpoint.instance_id,
        nonce,
        change.get("marked_status", 200),
        change.get("marked_tag", tag),
        body,
    )
    extra = change.get("suffix", b"")
    headers = {"X-Hydracore-Proof": f"v2.{mark}", "Connection": "close"}
    if tag:
        headers["ETag"] = f'W/"{tag}"'
    return http(body + extra, status=change.get("status", 200), headers=headers)


@pytest.mark.parametrize(
    "change",
    [
        {"nonce": "0" * 32},
        {"suffix": b" "},
        {"instance": "another"},
        {"names": "another"},
        {"reflected": True},
        {"status": 404},
        {"status": 401},
        {"tag": "a" * 32, "marked_tag": ""},
        {"tag": "a" * 32, "marked_tag": "b" * 32},
    ],
)
async def test_what_the_mark_does_not_cover_is_not_believed(
    client: AgentClient, change: dict[str, Any]
) -> None:
    agent = Ed25519PrivateKey.generate()
    public = base64.b64encode(agent.public_key().public_bytes_raw()).decode()

    async def talk(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(_answered(request, AgentEndpoint("", "i", public), agent, **change))

    async with serving(talk) as url:
        with pytest.raises(WrongIdentity):
            await client.poll(AgentEndpoint(url, "i", public))


async def test_a_proved_error_is_no_status(client: AgentClient) -> None:
    agent = Ed25519PrivateKey.generate()
    public = base64.b64encode(agent.public_key().public_bytes_raw()).decode()

    async def talk(request: Request, writer: asyncio.StreamWriter) -> None:
        where = AgentEndpoint("", "i", public)
        writer.write(_answered(request, where, agent, status=500, marked_status=500))

    async with serving(talk) as url:
        with pytest.raises(InvalidAnswer, match="500"):
            await client.poll(AgentEndpoint(url, "i", public))


async def test_what_an_agent_would_say_again_is_not_sent_again(client: AgentClient) -> None:
    async with AgentFleet(KEY) as fleet:
        agent = fleet.add()
        first = await client.poll(fleet.endpoint(agent))
        assert await client.poll(fleet.endpoint(agent)) is first
        assert fleet.oracle.not_modified == 1
        agent.version = "2.0.0"
        changed = await client.poll(fleet.endpoint(agent))
        assert (changed.version, fleet.oracle.not_modified) == ("2.0.0", 1)
        assert await client.poll(fleet.endpoint(agent)) is changed


async def test_of_an_agent_that_was_forgotten_everything_is_asked_again(
    client: AgentClient,
) -> None:
    async with AgentFleet(KEY) as fleet:
        endpoint = fleet.endpoint(fleet.add())
        first = await client.poll(endpoint)
        client.forget(endpoint)
        client.forget(endpoint)  # what is unknown is no error
        again = await client.poll(endpoint)
        assert again == first
        assert again is not first
        assert fleet.oracle.not_modified == 0


async def test_a_stranger_cannot_say_that_nothing_has_changed(client: AgentClient) -> None:
    async with AgentFleet(KEY) as fleet:
        agent = fleet.add()
        await client.poll(fleet.endpoint(agent))
        agent.faults.wrong_identity = True
        with pytest.raises(WrongIdentity):
            await client.poll(fleet.endpoint(agent))
        assert fleet.oracle.not_modified == 1


@pytest.mark.parametrize("told", [True, False])
async def test_an_agent_that_leaves_unchanged_what_it_never_said_is_not_believed(
    client: AgentClient, *, told: bool
) -> None:
    """A proved 304 about another tag than was asked for, or where none was."""
    agent = Ed25519PrivateKey.generate()
    public = base64.b64encode(agent.public_key().public_bytes_raw()).decode()
    plane = Ed25519PublicKey.from_public_bytes(base64.b64decode(KEY.public_key_base64))
    keys = agents_half.agree(agent, plane, "i")
    asked: list[str | None] = []

    async def talk(request: Request, writer: asyncio.StreamWriter) -> None:
        asked.append(request.headers.get("if-none-match"))
        if told and len(asked) == 1:
            writer.write(_answered(request, AgentEndpoint("", "i", public), agent, tag="a" * 32))
            return
        nonce, tag = request.headers["authorization"].split(".")[4], "b" * 32
        mark = agents_half.answer_mark(keys.answer, "i", nonce, 304, tag, b"")
        headers = {"X-Hydracore-Proof": f"v2.{mark}", "ETag": f'W/"{tag}"', "Connection": "close"}
        writer.write(http(b"", status=304, headers=headers))

    async with serving(talk) as url:
        if told:
            await client.poll(AgentEndpoint(url, "i", public))
        with pytest.raises(InvalidAnswer, match="304"):
            await client.poll(AgentEndpoint(url, "i", public))
    assert asked == ([None, 'W/"' + "a" * 32 + '"'] if told else [None])


class Trust:
    """The agent's trust store with one key."""

    def __init__(self) -> None:
        raw = base64.b64decode(KEY.public_key_base64)
        self.control_plane = {KEY.kid: Ed25519PublicKey.from_public_bytes(raw)}


def test_the_agent_takes_what_the_client_sends_and_nothing_else() -> None:
    agent, now = Ed25519PrivateKey.generate(), [datetime(2030, 1, 1, tzinfo=UTC)]
    trust = Trust()
    auth = PollAuth("i", agent, trust, lambda: now[0])  # type: ignore[arg-type]
    poller = Poller(KEY, now=lambda: now[0], deadlines=(1, 1))
    keys = KEY.agree(agent.public_key(), "i")
    scheme, _, sent = poller._headers(keys, "i", "a" * 32)["Authorization"].partition(" ")
    assert scheme == agents_half.SCHEME
    subject, nonce, found = auth.check(sent)
    assert (subject, nonce, found.answer) == ("operator", "a" * 32, keys.answer)
    version, kid, subject, issued, nonce, mark = sent.split(".")
    wrong = [
        f"{version}.{kid}.api.{issued}.{nonce}.{mark}",
        ".".join((version, kid, subject, str(int(issued) + 1), nonce, mark)),
        ".".join((version, kid, subject, issued, "b" * 32, mark)),
        ".".join((version, "0" * 16, subject, issued, nonce, mark)),
        ".".join((version, kid, subject, issued, nonce, "A" * 43 + "=")),
        f"v1.{kid}.{subject}.{issued}.{nonce}.{mark}",
        sent + "\n",
        "",
    ]
    for token in wrong:
        with pytest.raises(TokenError):
            auth.check(token)
    elsewhere = poller._headers(KEY.agree(agent.public_key(), "j"), "j", "a" * 32)
    with pytest.raises(TokenError):
        auth.check(elsewhere["Authorization"].partition(" ")[2])
    for seconds in (-6, 65):
        now[0] = datetime(2030, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
        with pytest.raises(TokenError, match="minute"):
            auth.check(sent)
    now[0] = datetime(2030, 1, 1, tzinfo=UTC)
    trust.control_plane = {}
    with pytest.raises(TokenError, match="known"):
        auth.check(sent)
