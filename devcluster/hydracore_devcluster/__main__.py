"""``python -m hydracore_devcluster build``: have the control plane's binaries ready."""

from __future__ import annotations

import argparse
import os
import sys

from hydracore_devcluster.build import provide
from hydracore_devcluster.errors import DevClusterError
from hydracore_devcluster.layout import find_project
from hydracore_devcluster.progress import Progress


def main(argv: list[str] | None = None) -> int:
    """Build what is out of date; return the exit status (1: the reason is on stderr)."""
    parser = argparse.ArgumentParser(prog="hydracore_devcluster", description=__doc__)
    parser.add_argument("command", choices=["build"], help="what to do")
    parser.parse_args(argv)
    try:
        found = provide(find_project(), os.environ, Progress(sys.stdout))
    except DevClusterError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; the next build goes on from here\n")
        return 130
    if found.missing is not None:
        sys.stdout.write(f"note: {found.missing}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
