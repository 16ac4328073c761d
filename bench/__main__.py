"""Runs the benchmarks: ``python -m bench [name ...] [--quick]``; see docs/performance.md.

Each is a module with ``main(args)`` that prints a table and writes a file of its name below
``.hydracore/bench``; it runs in a process of its own. A new one is added by a line in ``BENCHES``.
"""

from __future__ import annotations

import argparse
import importlib
import subprocess
import sys
from pathlib import Path

BENCHES = {
    "rollout": "bench.rollout.main",
    "rest": "bench.rest.main",
    "health": "bench.health.main",
    "bundles": "bench.bundle_download",
    "peers": "bench.peers.main",
    "scaling": "bench.scaling.main",
}
LONG = frozenset({"peers", "scaling"})
"""Run only when named."""


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bench", description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("names", nargs="*", metavar="name", help=f"of {', '.join(BENCHES)}")
    parser.add_argument("--quick", action="store_true", help="small: shows only that it works")
    parser.add_argument("--targets", type=int, help="Instances of a rollout (2,000)")
    parser.add_argument("--case", help="only this case of a rollout")
    parser.add_argument("--peer", action="append", help="only this contender; may be repeated")
    parser.add_argument("--no-restart", dest="restart", action="store_false", help="of a rollout")
    parser.add_argument("--out", type=Path, help="folder of the results (.hydracore/bench)")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    return parser


def main() -> int:
    parser = arguments()
    args = parser.parse_args()
    unknown = set(args.names) - BENCHES.keys()
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(BENCHES)}")
    if args.here:
        importlib.import_module(BENCHES[args.names[0]]).main(args)
        return 0
    options = [word for word in sys.argv[1:] if word not in BENCHES]
    failed = []
    for name in args.names or [name for name in BENCHES if name not in LONG]:
        print(f"== {name}", flush=True)
        argv = [sys.executable, "-m", "bench", name, *options, "--here"]
        if subprocess.run(argv, check=False).returncode != 0:
            failed.append(name)
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
