"""A provider of language models that fails when it is told to."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

KEY = "sk-canary-of-the-stack"


class Models:
    """An OpenAI-compatible endpoint on loopback; ``with Models() as models``."""

    def __init__(self) -> None:
        self.status = 200
        self.asked = 0
        self.keys: set[str] = set()
        self.systems: list[str] = []
        models = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                models._answer(self)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - as inherited
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        body = json.loads(request.rfile.read(int(request.headers["Content-Length"])))
        self.asked += 1
        self.keys.add(request.headers["Authorization"] or "")
        self.systems.append(body["messages"][0]["content"])
        request.send_response(self.status)
        request.end_headers()
        for piece in ("I am ", "a model."):
            event = {"choices": [{"delta": {"content": piece}}]}
            request.wfile.write(f"data: {json.dumps(event)}\n\n".encode())
        request.wfile.write(b"data: [DONE]\n\n")

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
