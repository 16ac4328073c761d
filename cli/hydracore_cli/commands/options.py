"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hydracore_cli.stack.layout import DEFAULT_STATE_DIR, STATE_DIR_HELP

StateDir = Annotated[
    Path, typer.Option("--state-dir", help=STATE_DIR_HELP, show_default=str(DEFAULT_STATE_DIR))
]
