"""``python -m hydracore_agent --dir DIR --release SHA256``: the service; the launcher starts it."""

from __future__ import annotations

import argparse
import asyncio
import logging
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from hydracore_agent.agent import Agent, Start
from hydracore_agent.errors import EXIT_CONFIG, EXIT_PORT_TAKEN, AgentError, PortTakenError
from hydracore_agent.layout import Layout
from hydracore_agent.listening import bind
from hydracore_agent.logs import log_to_stderr
from hydracore_agent.plugins import load_plugins
from hydracore_agent.running import RunningRelease
from hydracore_agent.settings import load_settings

log = logging.getLogger("hydracore_agent")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the service; return the exit status. A plugin's error ends the process with its trace."""
    parser = argparse.ArgumentParser(prog="hydracore_agent", description=__doc__)
    parser.add_argument("--dir", type=Path, required=True, help="the server's folder")
    parser.add_argument("--release", required=True, help="digest of the installed release to run")
    parsed = parser.parse_args(arguments)
    layout = Layout(parsed.dir.absolute())
    log_to_stderr()
    try:
        settings = load_settings(layout.user_data)
        layout.prepare()
        release = RunningRelease.load(layout, parsed.release)
        plugins = load_plugins(release.folder / "plugins")
        sock = bind(settings.listen)
        asyncio.run(_serve(Start(layout, settings, release, plugins), sock))
    except PortTakenError as error:
        log.error("%s", error)  # noqa: TRY400 - the text says all
        return EXIT_PORT_TAKEN
    except AgentError as error:
        log.error("%s", error)  # noqa: TRY400 - the text says all
        return EXIT_CONFIG
    return 0


async def _serve(start: Start, sock: socket.socket) -> None:
    await Agent(start).serve(sock)


if __name__ == "__main__":
    sys.exit(main())
