"""A receiver of webhooks on loopback that refuses the first halt it is told of."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.stack.loopback import LoopbackServer


@dataclass(frozen=True)
class Told:
    """One request: its headers (lower case), its bytes as they came, and when that was."""

    headers: Mapping[str, str]
    body: bytes
    at: float

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def event(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found


class Hooks(LoopbackServer):
    """The receiver; ``with Hooks() as hooks``."""

    def __init__(self) -> None:
        super().__init__()
        self.got: list[Told] = []
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"{self.root}/hook"

    def of(self, kind: str) -> list[Told]:
        """Return what was told of one type of event, in order of arrival."""
        with self._lock:
            return [told for told in self.got if told.event["type"] == kind]

    def answer(self, request: BaseHTTPRequestHandler, body: bytes) -> None:
        headers = {name.lower(): value for name, value in request.headers.items()}
        request.send_response(self._take(Told(headers, body, time.time())))
        request.send_header("Content-Length", "0")
        request.end_headers()

    def _take(self, told: Told) -> int:
        with self._lock:
            refused = told.event["type"] == "rollout.halted" and not any(
                before.event["type"] == "rollout.halted" for before in self.got
            )
            self.got.append(told)
        return 503 if refused else 204
