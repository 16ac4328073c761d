"""/agent/v1 as a scripted transport."""

from __future__ import annotations

import json
from typing import Any

import httpx

from hydracore_agent.controlplane import ControlPlane
from tests.agent.support.keys import INSTANCE


class Api:
    """Answers calls from a script by call name; records bodies and tokens."""

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {
            "bootstrap": self.accept,
            "secrets": {"agent_key": "hca_new"},
            "heartbeat": {"next_seconds": 7, "control_plane_keys": [], "trusted_bundle_keys": []},
        }
        self.calls: list[tuple[str, str, dict[str, Any]]] = []
        self.last_seq = 0

    def accept(self, body: dict[str, Any]) -> dict[str, Any]:
        accepted = body["seq"] > self.last_seq
        self.last_seq = max(self.last_seq, body["seq"])
        return {"accepted": accepted, "last_seq": self.last_seq}

    def control_plane(self) -> ControlPlane:
        return ControlPlane("http://api", INSTANCE, self._connect)

    def _connect(self, _url: str) -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=httpx.MockTransport(self._answer))

    def _answer(self, request: httpx.Request) -> httpx.Response:
        name, body = request.url.path.rpartition("/")[2], json.loads(request.content)
        self.calls.append((name, request.headers["authorization"].removeprefix("Bearer "), body))
        answer = self.answers[name]
        if isinstance(answer, list):
            answer = answer.pop(0)
        if callable(answer):
            answer = answer(body)
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, int):
            return httpx.Response(answer)
        if isinstance(answer, bytes):
            return httpx.Response(200, content=answer)
        return httpx.Response(200, json=answer)

    def names(self) -> list[str]:
        return [name for name, _, _ in self.calls]
