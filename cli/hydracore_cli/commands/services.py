"""``hydracore operator``, ``hydracore api`` and ``hydracore agent``: the long-running services."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

if TYPE_CHECKING:
    from pydantic_settings import BaseSettings

    S = TypeVar("S", bound=BaseSettings)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(operator)
    app.command()(api)
    app.command()(agent)


def operator() -> None:
    """Run the operator; settings come from HYDRACORE_* variables."""
    import uvloop  # noqa: PLC0415 - commands load what they need when they run

    from hydracore_operator.app import run  # noqa: PLC0415
    from hydracore_operator.settings import OperatorSettings  # noqa: PLC0415

    settings = load_settings(OperatorSettings)
    raise typer.Exit(uvloop.run(run(settings)))


def api() -> None:
    """Run the REST API; settings come from HYDRACORE_* variables."""
    from hydracore_api.server import run  # noqa: PLC0415
    from hydracore_api.settings import Settings  # noqa: PLC0415

    raise typer.Exit(run(load_settings(Settings)))


def agent(
    folder: Annotated[Path, typer.Option("--dir", help="Folder of the server.", file_okay=False)],
) -> None:
    """Run the launcher of an agent's server; it installs and supervises the agent."""
    from hydracore_agent.launcher.__main__ import main  # noqa: PLC0415

    raise typer.Exit(main(["--dir", str(folder)]))


def load_settings(kind: type[S]) -> S:
    """Read a service's settings from the environment.

    Raises:
        CliError: some are missing or wrong; names each variable.
    """
    from pydantic import ValidationError  # noqa: PLC0415

    from hydracore_cli.errors import CliError, settings_fault  # noqa: PLC0415

    try:
        return kind()
    except ValidationError as error:
        raise CliError(settings_fault(error)) from None
