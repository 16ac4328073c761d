"""A server folder with settings for tests that start no process."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydracore_agent.layout import Layout
from hydracore_agent.orders.memory import OrderMemory
from hydracore_agent.orders.releases import LISTING
from hydracore_agent.orders.task import Task
from hydracore_agent.settings import Settings, load_settings
from tests.agent.support.bundles import manifest
from tests.agent.support.clock import FakeClock
from tests.agent.support.keys import INSTANCE, Signer

OLD, NEW = "a" * 64, "b" * 64
TASK = "0c9a7f4e-52f1-4c3b-9d1e-6f3c1b2a7d10"


def user_data(signer: Signer, **changes: Any) -> dict[str, Any]:
    return {
        "instanceId": INSTANCE,
        "agentName": "Ada",
        "profile": {"userDisplayName": "Grace"},
        "apiUrl": "http://127.0.0.1:9",
        "bootstrapToken": "hcb_token",
        "controlPlaneKeys": signer.control_keys(),
        "trustedBundleKeys": signer.bundle_keys(),
        "listen": {"host": "127.0.0.1", "port": 4000},
        "trialSeconds": 10,
        "heartbeatSeconds": 30,
        "runtime": {
            "slug": "expressclaw",
            "version": "1.0.0",
            "sha256": OLD,
            "sizeBytes": 10,
            "keyId": signer.bundle_key_id,
            "signature": signer.sign_digest(OLD),
        },
        **changes,
    }


@dataclass
class World:
    """The folder, its memory and a clock."""

    layout: Layout
    signer: Signer
    clock: FakeClock
    memory: OrderMemory

    @classmethod
    def make(cls, root: Path) -> World:
        layout, clock = Layout(root), FakeClock()
        layout.prepare()
        signer = Signer()
        layout.user_data.write_text(json.dumps(user_data(signer)))
        memory = OrderMemory(layout.orders, layout.ledger, clock)
        return cls(layout, signer, clock, memory)

    def settings(self) -> Settings:
        return load_settings(self.layout.user_data)

    def install(self, folder: Path, mark: str, version: str = "1.0.0") -> None:
        """Lay out an unpacked release whose ``mark`` file tells it apart."""
        folder.mkdir(parents=True)
        (folder / "mark").write_text(mark)
        (folder / "manifest.json").write_text(json.dumps(manifest(version=version)))
        (folder / LISTING).write_text('{"files": {}}')

    def task(self, **changes: Any) -> Task:
        values: dict[str, Any] = {
            "task_id": TASK,
            "epoch": 1,
            "state": "accepted",
            "started_at": self.memory.stamp(),
            "not_after": self.clock().timestamp() + 60,
            "version": "1.1.0",
            "slug": "expressclaw",
            "sha256": NEW,
            "size_bytes": 10,
            **changes,
        }
        return Task(**values)

    def remember(self, task: Task) -> None:
        with self.memory.change() as memory:
            memory.add(task)

    def events(self) -> list[str]:
        if not self.layout.ledger.exists():
            return []
        return [json.loads(line)["event"] for line in self.layout.ledger.read_text().splitlines()]
