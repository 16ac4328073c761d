"""What the decision on one action reads, and what it answers with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Literal

from hydracore_crds import Instance, InstanceAction
from hydracore_crds.instance_action import ActionName

START_WITHIN = timedelta(minutes=15)
"""An action that did not start so long after its creation never will: nobody expects it any more,
and no wait is endless."""

SETTLE_FOR = timedelta(minutes=15)
"""How long after an action's deadline evidence is still sought for an uncertain outcome."""

RUN_WITHIN: Mapping[ActionName, timedelta] = MappingProxyType(
    {
        "power-cycle": timedelta(seconds=60),
        "reboot": timedelta(seconds=300),
        "run-diagnostics": timedelta(seconds=60),
        "clear-circuit-breakers": timedelta(seconds=30),
        "apply-updates": timedelta(seconds=60),
    }
)
"""How long each action may take; from then on what received it refuses to begin with it."""

INTERRUPTING: frozenset[ActionName] = frozenset({"power-cycle", "reboot", "apply-updates"})
"""Actions that may end the agent's process; they never cut into a push."""

WORKS_IN: Mapping[ActionName, frozenset[str]] = MappingProxyType(
    {
        "power-cycle": frozenset({"running"}),
        "reboot": frozenset({"running", "error"}),
        "run-diagnostics": frozenset({"running"}),
        "clear-circuit-breakers": frozenset({"running"}),
        "apply-updates": frozenset({"running"}),
    }
)
"""States of the Instance in which each action makes sense. A reboot needs no living agent."""


@dataclass(frozen=True, slots=True)
class ActionView:
    """Everything that the decision may look at.

    Attributes:
        action: The action.
        now: The time, aware UTC.
        instance: The Instance that it names, if there is one.
        others: The other actions on that Instance.
        pushed: A rollout's target of that Instance is in progress.
        mine: This process, under its present leadership, made the action ``running``.
        terminating: The namespace is being deleted or is no tenant.
    """

    action: InstanceAction
    now: datetime
    instance: Instance | None
    others: Sequence[InstanceAction] = ()
    pushed: bool = False
    mine: bool = False
    terminating: bool = False


@dataclass(frozen=True, slots=True)
class Rest:
    """There is nothing to do, now or later."""


@dataclass(frozen=True, slots=True)
class Wait:
    """It cannot start yet; come again when something changes, at the latest at ``until``."""

    reason: str
    message: str
    until: datetime


@dataclass(frozen=True, slots=True)
class Start:
    """Make it ``running`` by compare-and-swap; only then send it."""

    deadline: datetime


@dataclass(frozen=True, slots=True)
class Follow:
    """It runs by our hand: ask how it goes."""


@dataclass(frozen=True, slots=True)
class Settle:
    """Nobody here knows what became of it: ask for evidence, and never run it."""


@dataclass(frozen=True, slots=True)
class Finish:
    """It is over, as far as anybody knows."""

    state: Literal["succeeded", "failed", "uncertain"]
    reason: str
    message: str


Decision = Rest | Wait | Start | Follow | Settle | Finish
