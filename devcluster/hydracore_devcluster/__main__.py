"""``python -m hydracore_devcluster build [name]``: have the programs ready.

Names are packaging-tools, s3-tools and bench-peers; without one it is the control plane.
``python -m hydracore_devcluster go`` prints the path of the Go that builds them.
"""

from __future__ import annotations

import argparse
import os
import sys

from hydracore_devcluster import golang
from hydracore_devcluster.build import provide, provide_tools
from hydracore_devcluster.errors import DevClusterError
from hydracore_devcluster.layout import find_project
from hydracore_devcluster.progress import Progress
from hydracore_devcluster.toolset import PACKAGING_TOOLS, PEER_CONTROLLER, S3_TOOLS, Toolset

_CONTROL_PLANE = "control-plane"
_EXTRA: dict[str, Toolset] = {
    "packaging-tools": PACKAGING_TOOLS,
    "s3-tools": S3_TOOLS,
    "bench-peers": PEER_CONTROLLER,
}


def main(argv: list[str] | None = None) -> int:
    """Build what is out of date or name Go; return the exit status (1: the reason is on stderr)."""
    parser = argparse.ArgumentParser(prog="hydracore_devcluster", description=__doc__)
    parser.add_argument("command", choices=["build", "go"], help="what to do")
    parser.add_argument(
        "what", nargs="?", choices=[_CONTROL_PLANE, *_EXTRA], default=_CONTROL_PLANE
    )
    args = parser.parse_args(argv)
    missing = None
    try:
        if args.command == "go":
            return _print_go()
        project, progress = find_project(), Progress(sys.stdout)
        if args.what in _EXTRA:
            provide_tools(_EXTRA[args.what], project, os.environ, progress)
        else:
            missing = provide(project, os.environ, progress).missing
    except DevClusterError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; the next build goes on from here\n")
        return 130
    if missing is not None:
        sys.stdout.write(f"note: {missing}\n")
    return 0


def _print_go() -> int:
    # Others read stdout, so how far an installation is goes to stderr.
    go = golang.ensure(find_project(), os.environ, Progress(sys.stderr))
    sys.stdout.write(f"{go.binary}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
