"""A provider of language models that fails when it is told to."""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler

from tests.stack.loopback import LoopbackServer

KEY = "sk-canary-of-the-stack"


class Models(LoopbackServer):
    """An OpenAI-compatible endpoint on loopback; ``with Models() as models``."""

    def __init__(self) -> None:
        super().__init__()
        self.status = 200
        self.asked = 0
        self.keys: set[str] = set()
        self.systems: list[str] = []

    @property
    def url(self) -> str:
        return f"{self.root}/v1"

    def answer(self, request: BaseHTTPRequestHandler, body: bytes) -> None:
        self.asked += 1
        self.keys.add(request.headers["Authorization"] or "")
        self.systems.append(json.loads(body)["messages"][0]["content"])
        request.send_response(self.status)
        request.end_headers()
        for piece in ("I am ", "a model."):
            event = {"choices": [{"delta": {"content": piece}}]}
            request.wfile.write(f"data: {json.dumps(event)}\n\n".encode())
        request.wfile.write(b"data: [DONE]\n\n")
