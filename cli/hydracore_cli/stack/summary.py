"""What ``up`` and ``down`` tell a person at the end."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from pathlib import Path

from hydracore_cli.stack.content import CLASS_NAME, REGION
from hydracore_cli.stack.database import shown_database
from hydracore_cli.stack.down import Stopped
from hydracore_cli.stack.layout import DEFAULT_STATE_DIR, StackLayout, layout_of
from hydracore_cli.stack.record import StackRecord


def summary_lines(layout: StackLayout, record: StackRecord) -> list[str]:
    """Return where everything is and what to try next, as commands that work when pasted."""
    env = shlex.quote(_short(layout.env))
    kubectl = shlex.quote(_short(Path(record.kubectl))) if record.kubectl else "kubectl"
    option = state_dir_option(layout)
    own = layout.database_url_file.exists()
    history = [f"  history     {shown_database(layout)}"] if own else []
    body = f'{{"tier_id": "{CLASS_NAME}", "region_id": "{REGION}", "agent_name": "Ada"}}'
    return [
        f"  API         {record.api_url}  (try {record.api_url}/docs)",
        f"  tenant      {record.namespace}",
        f"  kubeconfig  {_short(Path(record.kubeconfig))}",
        f"  logs        {_short(layout.logs)}",
        f"  settings    {_short(layout.env)}",
        *history,
        "",
        "Try next:",
        f"  set -a; . {env}; set +a",
        '  curl -s -H "X-Api-Key: $HYDRACORE_API_KEY" -H "Content-Type: application/json" \\',
        f"    -d '{body}' $HYDRACORE_API_URL/v1/instances",
        '  curl -s -H "X-Api-Key: $HYDRACORE_API_KEY" $HYDRACORE_API_URL/v1/instances',
        f"  {kubectl} -n $HYDRACORE_NAMESPACE get instances,rollouts",
        f"  {kubectl} get bundles,instanceclasses",
        f"  {_own_command()} down{option}",
    ]


def stopped_lines(layout: StackLayout, stopped: Stopped) -> list[str]:
    """Return what was stopped and what is left."""
    lines = []
    record = stopped.supervisor
    if record is not None:
        cluster = "" if record.external else ", control plane"
        lines.append(f"Stopped operator, API{cluster} (supervisor {record.pid}).")
    if stopped.servers:
        names = ", ".join(stopped.servers)
        lines.append(f"Stopped {len(stopped.servers)} local servers: {names}.")
    if not lines:
        lines.append(f"Nothing of {_short(layout.state_dir)} was running.")
    if stopped.purged:
        lines.append(f"Removed {_short(layout.root)} with all data and keys.")
        if record is not None and record.external:
            lines.append(
                f"The cluster of {record.kubeconfig} keeps its custom resources: delete them with "
                f"`kubectl delete instances --all -n {record.namespace}` while a stack runs."
            )
    elif layout.root.is_dir():
        option, own = state_dir_option(layout), _own_command()
        lines.append(
            f"The data stay in {_short(layout.root)}: `{own} up{option}` goes on with them, "
            f"`{own} down --purge{option}` removes them."
        )
    return lines


def state_dir_option(layout: StackLayout) -> str:
    """Return `` --state-dir DIR`` where it is not the default one, else nothing."""
    if layout == layout_of(DEFAULT_STATE_DIR):
        return ""
    return f" --state-dir {shlex.quote(_short(layout.state_dir))}"


def _own_command() -> str:
    """Return how to call this program: by name where the shell finds it, else by its path."""
    if shutil.which("hydracore") is not None:
        return "hydracore"
    return shlex.quote(_short(Path(sys.executable).with_name("hydracore")))


def _short(path: Path) -> str:
    """Return the path as one would type it here: relative where it lies below."""
    here = Path(os.getcwd())  # noqa: PTH109 - the shell's idea of here
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
