"""Where a stack keeps its files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

DEFAULT_STATE_DIR = Path(".hydracore")
STATE_DIR_HELP = "Folder of the stack; give another one to run several stacks side by side."


@dataclass(frozen=True, slots=True)
class StackLayout:
    """The files of one stack. All but ``env`` lie below ``<state dir>/stack``."""

    state_dir: Path

    @property
    def env(self) -> Path:
        """``KEY=VALUE`` lines for people and programs that use the stack."""
        return self.state_dir / "env"

    @property
    def root(self) -> Path:
        """The folder of everything else."""
        return self.state_dir / "stack"

    @property
    def supervisor_lock(self) -> Path:
        """Held by the supervisor as long as it lives."""
        return self.root / "supervisor.lock"

    @property
    def start_lock(self) -> Path:
        """Held by ``up`` and ``down``, so that they take turns."""
        return self.root / "start.lock"

    @property
    def record(self) -> Path:
        """What the supervisor says about itself."""
        return self.root / "stack.json"

    @property
    def progress(self) -> Path:
        """What the supervisor is doing, one JSON object a line."""
        return self.root / "progress.jsonl"

    @property
    def cluster(self) -> Path:
        """State of the development cluster."""
        return self.root / "cluster"

    @property
    def logs(self) -> Path:
        """Logs of supervisor, operator and API."""
        return self.root / "logs"

    @property
    def database(self) -> Path:
        """The embedded history database."""
        return self.root / "history.db"

    @property
    def database_url_file(self) -> Path:
        """URL of a history database of one's own, with its password; absent: the embedded one."""
        return self.root / "keys" / "database-url"

    @property
    def artifacts_url(self) -> str:
        """The artifact store as a URL."""
        return (self.root / "artifacts").as_uri()

    @property
    def bundles(self) -> Path:
        """Bundle files built for this stack."""
        return self.root / "bundles"

    @property
    def servers(self) -> Path:
        """Folders of the local provider's servers."""
        return self.root / "servers"

    @property
    def control_plane_key(self) -> Path:
        """Private key with which operator and API speak to agents."""
        return self.root / "keys" / "control-plane.pem"

    @property
    def signing_key(self) -> Path:
        """Private key with which this stack's bundles are signed."""
        return self.root / "keys" / "bundle-signing.pem"

    @property
    def trusted_bundle_keys(self) -> Path:
        """Public keys whose bundles are trusted."""
        return self.root / "keys" / "trusted-bundle-keys.json"

    @property
    def server_secret(self) -> Path:
        """Key of the API keys' hashes."""
        return self.root / "keys" / "server-secret"

    @property
    def ops_token(self) -> Path:
        """Bearer token of the internal routes."""
        return self.root / "keys" / "ops-token"

    def create(self) -> None:
        """Make the folders; those below ``stack`` are readable by their owner only.

        Raises:
            OSError: a folder cannot be made.
        """
        self.state_dir.mkdir(parents=True, exist_ok=True)
        for folder in (self.root, self.logs, self.bundles, self.servers, self.root / "keys"):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)


def layout_of(state_dir: Path) -> StackLayout:
    """Return the layout of a state folder, absolute, wherever the command was started."""
    return StackLayout(state_dir.absolute())
