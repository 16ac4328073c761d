"""A server folder with its launcher as a real process."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import httpx

from tests.agent.support.bundles import Built
from tests.agent.support.keys import INSTANCE, Signer
from tests.agent.support.plane import TOKEN, Plane

T = TypeVar("T")
FAST = {
    "restartSeconds": 0.3,
    "backoffFirstSeconds": 0.1,
    "backoffMostSeconds": 1,
    "trialStableSeconds": 0.2,
    "stopSeconds": 3,
    "retryFirstSeconds": 0.05,
    "retryMostSeconds": 0.3,
    "stallSeconds": 1.5,
}


def until(what: str, ask: Callable[[], T | None], seconds: float = 30.0) -> T:
    """Return the first answer that is something; fail after a time."""
    end = time.monotonic() + seconds
    while True:
        answer = ask()
        if answer:
            return answer
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds:g} s: {what} (last: {answer!r})")
        time.sleep(0.03)


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


class Box:
    """One server."""

    def __init__(self, folder: Path, plane: Plane, runtime: Built, **changes: Any) -> None:
        self.folder = folder
        self.plane = plane
        self.signer: Signer = plane.signer
        self.port = free_port()
        self.launcher: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)
        plane.bundles[runtime.sha256] = runtime.path
        data = {
            "instanceId": INSTANCE,
            "agentName": "Ada",
            "profile": {"userDisplayName": "Grace"},
            "apiUrl": plane.url,
            "bootstrapToken": TOKEN,
            "controlPlaneKeys": self.signer.control_keys(),
            "trustedBundleKeys": self.signer.bundle_keys(),
            "listen": {"host": "127.0.0.1", "port": self.port},
            "trialSeconds": 8,
            "heartbeatSeconds": 1,
            "runtime": self.reference(runtime),
            "tuning": FAST,
            **changes,
        }
        (folder / "user-data.json").write_text(json.dumps(data))

    def reference(self, built: Built) -> dict[str, Any]:
        return {
            "slug": "expressclaw",
            "version": built.version,
            "sha256": built.sha256,
            "sizeBytes": built.size,
            "keyId": self.signer.bundle_key_id,
            "signature": self.signer.sign_digest(built.sha256),
        }

    # ---- processes -------------------------------------------------------------------------
    def start(self) -> None:
        with (self.folder / "launcher.log").open("ab") as log:
            self.launcher = subprocess.Popen(
                [sys.executable, "-m", "hydracore_agent.launcher", "--dir", str(self.folder)],
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def stop(self) -> int:
        assert self.launcher is not None
        self.launcher.terminate()
        return self.launcher.wait(10)

    def kill_launcher(self) -> None:
        assert self.launcher is not None
        self.launcher.kill()
        self.launcher.wait(5)

    def kill_agent(self) -> int:
        pid = int(self.status()["pid"])
        os.kill(pid, signal.SIGKILL)
        return pid

    def close(self) -> None:
        if self.launcher is not None and self.launcher.poll() is None:
            self.launcher.terminate()
            try:
                self.launcher.wait(8)
            except subprocess.TimeoutExpired:
                self.launcher.kill()
                self.launcher.wait(5)

    # ---- talking ---------------------------------------------------------------------------
    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def call(
        self, method: str, path: str, body: Any = None, *, seconds: float = 5
    ) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.signer.token()}"}
        return httpx.request(
            method, self.url + path, json=body, headers=headers, timeout=seconds, trust_env=False
        )

    def await_end(self, task_id: str) -> dict[str, Any] | None:
        """Return a status that waits for a task's end; None when the agent is not there."""
        return self.ask(f"/api/status?until={task_id}&wait=20", seconds=25)

    def ask(self, path: str, *, seconds: float = 5) -> dict[str, Any] | None:
        """Return a JSON answer; None when the agent is not there."""
        try:
            answer = self.call("GET", path, seconds=seconds)
        except httpx.HTTPError:
            return None
        return answer.json() if answer.status_code == 200 else None

    def status(self) -> dict[str, Any]:
        return until("status", lambda: self.ask("/api/status"))

    def alive(self) -> bool:
        try:
            return httpx.get(self.url + "/healthz", timeout=1, trust_env=False).status_code == 200
        except httpx.HTTPError:
            return False

    def claims(self, built: Built, **changes: Any) -> dict[str, Any]:
        self.plane.bundles[built.sha256] = built.path
        changes = {"version": built.version, **changes}
        url = self.plane.bundle_url(built.sha256)
        return self.signer.order_claims(built.sha256, built.size, url, **changes)

    def order(self, claims: dict[str, Any]) -> httpx.Response:
        return self.call("POST", "/api/orders", {"order": self.signer.order(claims)})

    def settled(self, task_id: str, seconds: float = 30.0) -> dict[str, Any]:
        def final() -> dict[str, Any] | None:
            report = self.ask(f"/api/orders/{task_id}")
            return report if report and report["final"] else None

        return until(f"task {task_id} is settled", final, seconds)

    def reaches(self, task_id: str, *states: str) -> dict[str, Any]:
        def there() -> dict[str, Any] | None:
            report = self.ask(f"/api/orders/{task_id}")
            return report if report and report["state"] in states else None

        return until(f"task {task_id} is {states}", there)

    def action(self, **changes: Any) -> dict[str, Any]:
        """Return the body of a request for an action."""
        base = {"actionId": str(uuid.uuid4()), "epoch": 1, "notAfter": int(time.time()) + 60}
        return {**base, **changes}

    def actions(self, action_id: str) -> list[dict[str, Any]]:
        """Return the ledger's lines of an action."""
        path = self.folder / "state" / "actions.jsonl"
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        return [line for line in lines if line["actionId"] == action_id]

    def ledger(self, *events: str) -> list[dict[str, Any]]:
        path = self.folder / "state" / "ledger.jsonl"
        if not path.exists():
            return []
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        return [line for line in lines if not events or line["event"] in events]

    def logs(self) -> str:
        paths = [self.folder / "launcher.log", *(self.folder / "log").glob("*.log")]
        return "\n".join(f"--- {path.name}\n{path.read_text()}" for path in paths if path.exists())
