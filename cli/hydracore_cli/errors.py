"""Errors that a person can act on: shown as text, never as a traceback."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import ValidationError

EXPECTED: tuple[tuple[str, str], ...] = (
    ("hydracore_artifacts.errors", "ArtifactError"),
    ("hydracore_artifacts.errors", "BuildError"),
    ("hydracore_artifacts.errors", "KeyFileError"),
    ("hydracore_api.auth.keys", "ServerSecretError"),
    ("hydracore_agentclient.errors", "AgentError"),
    ("hydracore_devcluster.errors", "DevClusterError"),
    ("hydracore_history.errors", "HistoryError"),
    ("hydracore_kube.errors", "KubeError"),
)
"""Errors of other packages whose text says what happened, where, why and what to do.

By name: whoever raised one has imported its module, so nothing is imported to find out.
"""


class CliError(Exception):
    """A command cannot do what it was asked. The text says why and what to do."""


def settings_fault(error: ValidationError) -> str:
    """Return what is wrong with settings: each variable by its name, no value repeated."""
    wrong = []
    for fault in error.errors(include_url=False, include_input=False):
        name = "_".join(str(part) for part in fault["loc"]).upper()
        text = fault["msg"].removeprefix("Value error, ")
        wrong.append(f"HYDRACORE_{name}: {text}" if name else text)
    return f"the settings are not usable: {'; '.join(wrong)}"


def is_expected(error: BaseException) -> bool:
    """Return whether the error's text, without a traceback, is what a person needs."""
    if isinstance(error, CliError):
        return True
    for module_name, class_name in EXPECTED:
        found = getattr(sys.modules.get(module_name), class_name, None)
        if isinstance(found, type) and isinstance(error, found):
            return True
    return False
