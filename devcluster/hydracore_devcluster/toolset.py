"""The sets of Go programs that the project builds.

They are the control plane, the packaging tools, the S3 server and a contender of the benchmarks.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from hydracore_devcluster.layout import ProjectLayout

KUBERNETES_VERSION = "v1.37.2"
"""What the binaries say of themselves; the version of k8s.io/kubernetes in go.mod."""

HELM_VERSION = "v4.3.1"
KUBECONFORM_VERSION = "v0.8.0"
VERSITYGW_VERSION = "v1.8.0"


@dataclass(frozen=True, slots=True)
class Toolset:
    """The programs of one Go module of tools, built together into a folder of their own."""

    title: str
    """What people call it."""

    module: Path
    """Folder of go.mod and go.sum, from the root of the checkout."""

    folder: str
    """Folder of the built programs in the cache."""

    programs: tuple[str, ...]
    shown: tuple[str, ...]
    """The programs' names for people."""

    linker_flags: str
    link_seconds: float
    """What linking took on two cores."""

    package_seconds: float
    """What compiling took for each package on two cores."""

    first_seconds: float
    """What a first build took on two cores, downloads included."""

    package: str = "tool"
    """What to build: the module's tools, or ``.`` for a program of our own."""

    @property
    def build_flags(self) -> tuple[str, ...]:
        """The flags of ``go build``."""
        return ("-trimpath", "-ldflags", self.linker_flags)

    def source(self, layout: ProjectLayout) -> Path:
        """Return the folder of the Go module."""
        return layout.root / self.module

    def sources(self, layout: ProjectLayout) -> tuple[Path, ...]:
        """Return the files that decide what is built."""
        folder = self.source(layout)
        return (folder / "go.mod", folder / "go.sum", *sorted(folder.glob("*.go")))

    def target(self, layout: ProjectLayout) -> Path:
        """Return the folder of the built programs."""
        return layout.cache / self.folder

    def missing(self, folder: Path) -> tuple[str, ...]:
        """Return the programs that a folder lacks."""
        return tuple(
            name
            for name in self.programs
            if not ((folder / name).is_file() and os.access(folder / name, os.X_OK))
        )


CONTROL_PLANE = Toolset(
    title="the control plane",
    module=Path("devcluster"),
    folder="bin",
    programs=("server", "kube-apiserver", "kube-controller-manager", "kubectl"),
    shown=("etcd", "kube-apiserver", "kube-controller-manager", "kubectl"),
    linker_flags=f"-s -w -X k8s.io/component-base/version.gitVersion={KUBERNETES_VERSION}",
    link_seconds=20.0,
    package_seconds=0.17,
    first_seconds=480.0,
)

PACKAGING_TOOLS = Toolset(
    title="the packaging tools",
    module=Path("devcluster") / "packaging-tools",
    folder="packaging-tools",
    programs=("helm", "kubeconform"),
    shown=("helm", "kubeconform"),
    linker_flags=(
        f"-s -w -X helm.sh/helm/v4/internal/version.version={HELM_VERSION} "
        f"-X main.version={KUBECONFORM_VERSION}"
    ),
    link_seconds=10.0,
    package_seconds=0.17,
    # With the control plane in the build cache, which is built before; without it about 190 s.
    first_seconds=120.0,
)

S3_TOOLS = Toolset(
    title="the S3 server",
    module=Path("devcluster") / "s3-tools",
    folder="s3-tools",
    programs=("versitygw",),
    shown=("versitygw",),
    linker_flags=f"-s -w -X main.Version={VERSITYGW_VERSION}",
    link_seconds=10.0,
    package_seconds=0.17,
    first_seconds=120.0,
)

PEER_CONTROLLER = Toolset(
    title="the Go controller that benchmarks compare with",
    module=Path("bench") / "peers" / "controller_runtime",
    folder="bench-peers",
    programs=("controller_runtime",),
    shown=("controller_runtime",),
    linker_flags="-s -w",
    link_seconds=10.0,
    package_seconds=0.17,
    # With the control plane in the build cache, which is built before.
    first_seconds=60.0,
    package=".",
)
