"""The order protocol for contenders in Python: signed requests, proofs checked, no HTTP client.

HydraCore's own client checks and bounds more; this is what the protocol itself asks for.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import orjson
import urllib3

from bench.peers.job import Agent, Bundle, Job
from hydracore_agentclient import ControlPlaneKey
from hydracore_agentclient.client import ORDER_TYP
from hydracore_agentclient.exchange import ISSUER, REQUEST_TYP, TOKEN_SECONDS
from hydracore_agentclient.models import FINAL_TASK_STATES
from hydracore_agentclient.proof import PROOF_HEADER, verify_proof

ORDER_SECONDS = 900
REQUEST_SECONDS = 5.0
REFUSED = 300


@dataclass(frozen=True)
class Question:
    """A request that is ready to be sent."""

    agent: Agent
    method: str
    url: str
    headers: dict[str, str]
    body: bytes | None
    nonce: str


class Orders:
    """Writes requests and reads answers."""

    def __init__(self, job: Job, *, now: Callable[[], float] = time.time) -> None:
        self._key = ControlPlaneKey.from_pem(job.key_file)
        self._epoch = job.epoch
        self._now = now

    def order(self, agent: Agent, task_id: str, bundle: Bundle) -> Question:
        """Order an agent to install a bundle; sent again, it is answered with where it stands."""
        issued = int(self._now())
        claims = {
            "iss": ISSUER,
            "aud": agent.instance_id,
            "jti": task_id,
            "iat": issued,
            "exp": issued + ORDER_SECONDS,
            "kind": "install",
            "epoch": self._epoch,
            "force": False,
            "url": f"http://127.0.0.1/agent/v1/bundles/{bundle.sha256}",
            **bundle.to_wire(),
        }
        body = orjson.dumps({"order": self._key.sign(claims, ORDER_TYP)})
        return self._question(agent, "POST", "/api/orders", body)

    def task(self, agent: Agent, task_id: str) -> Question:
        """Ask what became of an order."""
        return self._question(agent, "GET", f"/api/orders/{task_id}", None)

    def read(
        self, question: Question, status: int, proof: str | None, data: bytes
    ) -> dict[str, Any]:
        """Return the agent's report.

        Raises:
            WrongIdentity: Somebody else answered.
            RuntimeError: The agent refused.
        """
        verify_proof(
            proof,
            instance_id=question.agent.instance_id,
            public_key=question.agent.public_key,
            nonce=question.nonce,
            body=data,
        )
        if status >= REFUSED:
            raise RuntimeError(f"{question.method} {question.url}: {status} {data[:300]!r}")
        report: dict[str, Any] = orjson.loads(data)
        return report

    def _question(self, agent: Agent, method: str, path: str, body: bytes | None) -> Question:
        issued, nonce = int(self._now()), str(uuid4())
        claims = {
            "iss": ISSUER,
            "aud": agent.instance_id,
            "sub": "operator",
            "iat": issued,
            "exp": issued + TOKEN_SECONDS,
            "jti": nonce,
        }
        headers = {"Authorization": f"Bearer {self._key.sign(claims, REQUEST_TYP)}"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        return Question(agent, method, agent.url + path, headers, body, nonce)


def final(report: dict[str, Any]) -> bool:
    """Return whether an order has ended."""
    return report["state"] in FINAL_TASK_STATES


def succeeded(report: dict[str, Any], bundle: Bundle) -> bool:
    """Return whether the agent runs what it was sent."""
    return bool(report["state"] == "activated" and report["runningHash"] == bundle.sha256)


class BlockingAgents:
    """Sends orders and waits for their ends, for threads."""

    def __init__(self, job: Job, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self._orders = Orders(job)
        self._ask_seconds = job.ask_seconds
        self._sleep = sleep
        # Every agent is a host of its own.
        self._http = urllib3.PoolManager(
            num_pools=job.limit, timeout=REQUEST_SECONDS, retries=False
        )

    def push(self, agent: Agent, task_id: str, bundle: Bundle) -> dict[str, Any]:
        """Send an order and return its final report."""
        report = self._ask(self._orders.order(agent, task_id, bundle))
        while not final(report):
            self._sleep(self._ask_seconds)
            report = self._ask(self._orders.task(agent, task_id))
        return report

    def _ask(self, question: Question) -> dict[str, Any]:
        answer = self._http.request(
            question.method, question.url, headers=question.headers, body=question.body
        )
        proof = answer.headers.get(PROOF_HEADER)
        return self._orders.read(question, answer.status, proof, answer.data)
