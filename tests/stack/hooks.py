"""A receiver of webhooks on loopback that refuses the first halt it is told of."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self


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


class Hooks:
    """The receiver; ``with Hooks() as hooks``."""

    def __init__(self) -> None:
        self.got: list[Told] = []
        self._lock = threading.Lock()
        hooks = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                self.send_response(hooks._take(Told(headers, body, time.time())))
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - as inherited
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/hook"

    def of(self, kind: str) -> list[Told]:
        """Return what was told of one type of event, in order of arrival."""
        with self._lock:
            return [told for told in self.got if told.event["type"] == kind]

    def _take(self, told: Told) -> int:
        with self._lock:
            refused = told.event["type"] == "rollout.halted" and not any(
                before.event["type"] == "rollout.halted" for before in self.got
            )
            self.got.append(told)
        return 503 if refused else 204

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
