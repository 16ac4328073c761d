"""Where things lie in the project and in a cluster's state folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hydracore_devcluster.errors import DevClusterError


@dataclass(frozen=True, slots=True)
class ProjectLayout:
    """The folders of a checkout that the dev cluster uses."""

    root: Path

    @property
    def go_module(self) -> Path:
        """The Go module that names the tools."""
        return self.root / "devcluster"

    @property
    def crds(self) -> Path:
        """The generated CustomResourceDefinitions."""
        return self.root / "crds"

    @property
    def manifests(self) -> Path:
        """Namespace, service accounts and their rights."""
        return self.root / "manifests"

    @property
    def cache(self) -> Path:
        """What may be deleted and is then made again (git-ignored)."""
        return self.root / ".hydracore" / "cache"

    @property
    def tools(self) -> Path:
        """Tools installed for this project only (git-ignored)."""
        return self.root / ".hydracore" / "tools"


def find_project() -> ProjectLayout:
    """Return the checkout that this package belongs to.

    Raises:
        DevClusterError: The package is not installed in place from a checkout.
    """
    root = Path(__file__).resolve().parents[2]
    if not (root / "devcluster" / "go.mod").is_file():
        raise DevClusterError(
            f"{root} is not a checkout of HydraCore (devcluster/go.mod is missing): "
            "install the project from its source tree with `make setup`"
        )
    return ProjectLayout(root)


@dataclass(frozen=True, slots=True)
class StateLayout:
    """The files in the state folder of one cluster."""

    root: Path

    @property
    def lock(self) -> Path:
        """Held while a cluster runs on this folder."""
        return self.root / "devcluster.lock"

    @property
    def etcd_data(self) -> Path:
        """The data of etcd."""
        return self.root / "etcd"

    @property
    def logs(self) -> Path:
        """One log for each process."""
        return self.root / "logs"

    @property
    def certificates(self) -> Path:
        """Certificates and keys."""
        return self.root / "pki"

    @property
    def tokens(self) -> Path:
        """The API server's token file."""
        return self.root / "pki" / "tokens.csv"

    @property
    def audit_policy(self) -> Path:
        """What the API server writes into its audit log."""
        return self.root / "audit-policy.yaml"

    @property
    def audit_log(self) -> Path:
        """The API server's audit log: one JSON object a line."""
        return self.logs / "audit.log"

    def kubeconfig(self, who: str) -> Path:
        """Return the path of the kubeconfig of ``admin``, ``operator`` or ``api``."""
        return self.root / "kubeconfigs" / f"{who}.yaml"

    def create(self) -> None:
        """Make the folders, readable by the owner only."""
        folders = (self.root, self.logs, self.certificates, self.root / "kubeconfigs")
        for folder in folders:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)


def write_private(path: Path, content: bytes) -> None:
    """Write a file that only its owner may read, in one step."""
    temporary = path.with_name(f".{path.name}.new")
    temporary.unlink(missing_ok=True)
    temporary.touch(mode=0o600)
    temporary.write_bytes(content)
    temporary.replace(path)
