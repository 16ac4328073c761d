"""Windows of a tenant's update policy, between REST's words and the resource's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hydracore_api.errors import Unprocessable
from hydracore_api.updates.schemas import WindowChange, WindowView
from hydracore_core.windows import problems
from hydracore_crds.policy_window import PolicyWindow


def windows_spec(windows: Sequence[WindowChange]) -> list[dict[str, Any]]:
    """Return ``UpdatePolicy.spec.windows``.

    Raises:
        Unprocessable: One of them could not be evaluated, and so would never open or always block.
    """
    wanted = [PolicyWindow.model_validate(one.model_dump()) for one in windows]
    for problem in problems(wanted):
        loc = ("body", "windows", problem.index, problem.field)
        raise Unprocessable(loc, problem.text, "window_invalid")
    return [one.to_wire() for one in wanted]


def window_views(windows: Sequence[PolicyWindow]) -> list[WindowView]:
    """Return windows as REST shows them."""
    return [WindowView.model_validate(one.model_dump()) for one in windows]
