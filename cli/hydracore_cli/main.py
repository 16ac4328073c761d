"""The entry point: puts the commands together and turns expected errors into one line."""

from __future__ import annotations

import sys

import typer

from hydracore_cli.commands import bundle, database, demo, keys, platform, rollouts, services, stack
from hydracore_cli.errors import is_expected

HELP = "HydraCore: servers for AI agents, and rollouts of their runtime to whole fleets."


def build_app() -> typer.Typer:
    """Return the command line with all its groups."""
    app = typer.Typer(
        help=HELP,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    for group in (stack, demo, services, database):
        group.register(app)
    app.add_typer(keys.app, name="keys")
    app.add_typer(bundle.app, name="bundle")
    app.add_typer(rollouts.app, name="rollouts")
    app.add_typer(platform.app, name="platform")
    return app


def main() -> None:
    """Run the command line; exit status 1 for errors that a person can act on."""
    try:
        build_app()()
    except Exception as error:
        if not is_expected(error):
            raise
        sys.stderr.write(f"hydracore: {error}\n")
        sys.exit(1)


if __name__ == "__main__":
    main()
