"""Where things lie in a server's folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Layout:
    """The folder of one server.

    Attributes:
        root: The folder given as ``--dir``; absolute.
    """

    root: Path

    @property
    def user_data(self) -> Path:
        """What the provider hands to the server; 0600."""
        return self.root / "user-data.json"

    @property
    def state(self) -> Path:
        """Keys and everything that must survive a restart; 0700."""
        return self.root / "state"

    @property
    def releases(self) -> Path:
        """One folder per installed release, named by its bundle's SHA-256."""
        return self.root / "releases"

    @property
    def incoming(self) -> Path:
        """Bundles that are being fetched."""
        return self.root / "incoming"

    @property
    def log(self) -> Path:
        """What the agent and the launcher write for people."""
        return self.root / "log"

    @property
    def identity(self) -> Path:
        """The agent's Ed25519 private key."""
        return self.state / "identity.key"

    @property
    def agent_key(self) -> Path:
        """The key that the control plane issued for /agent/v1."""
        return self.state / "agent.key"

    @property
    def trust(self) -> Path:
        """Public keys learnt from heartbeats."""
        return self.state / "trust.json"

    @property
    def orders(self) -> Path:
        """Highest epoch and tasks."""
        return self.state / "orders.json"

    @property
    def ledger(self) -> Path:
        """Every transition of every task, appended; never read to decide anything new."""
        return self.state / "ledger.jsonl"

    @property
    def actions(self) -> Path:
        """Every action and what became of it."""
        return self.state / "actions.json"

    @property
    def actions_ledger(self) -> Path:
        """Every transition of every action, appended; never read."""
        return self.state / "actions.jsonl"

    @property
    def config(self) -> Path:
        """The configuration that was applied last; absent until then."""
        return self.state / "config.json"

    @property
    def current(self) -> Path:
        """Which release runs and which one before it."""
        return self.state / "current.json"

    @property
    def next(self) -> Path:
        """The switch that the launcher has to make; absent when there is none."""
        return self.state / "next"

    @property
    def boot(self) -> Path:
        """Progress of the first boot."""
        return self.state / "boot.json"

    @property
    def conversations(self) -> Path:
        """One JSON file per conversation."""
        return self.state / "conversations"

    @property
    def memory(self) -> Path:
        """What the agent remembers: an SQLite file."""
        return self.state / "memory.db"

    @property
    def launcher_lock(self) -> Path:
        """Held by the launcher that serves this folder."""
        return self.state / "launcher.lock"

    @property
    def agent_log(self) -> Path:
        """The agent's standard output and error."""
        return self.log / "agent.log"

    def release(self, sha256: str) -> Path:
        """Return the folder of an installed release."""
        return self.releases / sha256

    def staged(self, task_id: str) -> Path:
        """Return where a task unpacks before the switch."""
        return self.releases / f".staged-{task_id}"

    def replaced(self, task_id: str) -> Path:
        """Return where a redeploy keeps the folder that it replaces until it is settled."""
        return self.releases / f".replaced-{task_id}"

    def part(self, sha256: str) -> Path:
        """Return the file into which a bundle is fetched."""
        return self.incoming / f"{sha256}.part"

    def prepare(self) -> None:
        """Make the folders, closed to other users.

        Raises:
            OSError: one cannot be made.
        """
        for folder in (self.state, self.releases, self.incoming, self.log, self.conversations):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
