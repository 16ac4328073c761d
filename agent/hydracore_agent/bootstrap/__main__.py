"""``python -m hydracore_agent.bootstrap --dir DIR``: one pass over the first boot."""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from hydracore_agent.bootstrap.first import FirstBoot
from hydracore_agent.bootstrap.stages import Stages
from hydracore_agent.clock import utc_now
from hydracore_agent.controlplane import ControlPlane, UnreachableError
from hydracore_agent.errors import (
    EXIT_CONFIG,
    EXIT_RETRY,
    AgentError,
    SettingsError,
    describe_os_error,
)
from hydracore_agent.layout import Layout
from hydracore_agent.logs import log_to_stderr
from hydracore_agent.net import connect
from hydracore_agent.orders.download import Downloader
from hydracore_agent.orders.manifest import Host
from hydracore_agent.orders.steps import Installer
from hydracore_agent.settings import Settings, load_settings
from hydracore_agent.trust import TrustStore

log = logging.getLogger("hydracore_agent.bootstrap")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the first boot once; return the exit status."""
    parser = argparse.ArgumentParser(prog="hydracore_agent.bootstrap", description=__doc__)
    parser.add_argument("--dir", type=Path, required=True, help="the server's folder")
    layout = Layout(parser.parse_args(arguments).dir.absolute())
    log_to_stderr()
    try:
        settings = load_settings(layout.user_data)
        layout.prepare()
        return asyncio.run(_boot(layout, settings))
    except SettingsError as error:
        log.error("%s", error)  # noqa: TRY400 - the text says all
        return EXIT_CONFIG
    except AgentError as error:
        log.error("%s", error)  # noqa: TRY400 - the text says all
        return EXIT_RETRY
    except OSError as error:
        log.error("%s: %s", error.filename or layout.root, describe_os_error(error))  # noqa: TRY400
        return EXIT_RETRY


async def _boot(layout: Layout, settings: Settings) -> int:
    client = partial(connect, stall_seconds=settings.tuning.stall)
    control_plane = ControlPlane(settings.api_url, settings.instance_id, client)
    stages = Stages(layout.boot, control_plane, settings.bootstrap_token)
    trust = TrustStore.load(layout.trust, settings)
    installer = Installer(Downloader(client, settings.tuning), lambda: trust.bundles, Host.here())
    boot = FirstBoot(layout, settings, control_plane, stages, installer, utc_now)
    try:
        await boot.run()
    except UnreachableError:
        raise
    except AgentError as error:
        await _complain(stages, str(error))
        raise
    except OSError as error:
        await _complain(stages, f"the server's disk: {describe_os_error(error)}")
        raise
    finally:
        await control_plane.close()
    return 0


async def _complain(stages: Stages, message: str) -> None:
    try:
        await stages.complain(message)
    except (AgentError, OSError) as error:
        log.warning("the failure could not be reported: %s", error)


if __name__ == "__main__":
    sys.exit(main())
