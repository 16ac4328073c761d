"""The operator stops for good at every outgoing call; the next one settles, and nothing runs twice.

In this process, on a real API server; tests/faults/sweep does the same with processes and SIGKILL.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.operator.actions.stand import Stand

pytestmark = pytest.mark.cluster


class Dead(BaseException):
    """The process ends here."""


class Fate:
    """Which call is the last one."""

    def __init__(self, number: int, *, before: bool) -> None:
        self.number, self.before, self.calls = number, before, 0

    def next(self) -> bool:
        self.calls += 1
        return self.calls == self.number


class Mortal:
    """Stands before something, and ends the process before or after its n-th call in all."""

    def __init__(self, inner: Any, fate: Fate) -> None:
        self._inner, self._fate = inner, fate

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if name == "executions":
            return Mortal(found, self._fate)
        if not callable(found):
            return found

        async def call(*args: Any, **kwargs: Any) -> Any:
            mine = self._fate.next()
            if mine and self._fate.before:
                raise Dead
            result = await found(*args, **kwargs)
            if mine:
                raise Dead
            return result

        return call


async def life(stand: Stand, what: str, number: int, *, before: bool) -> int:
    """Let one operator die at a call, and the next one finish; return how many calls it made."""
    name = f"{what}-{number}-{'b' if before else 'a'}"
    made = await stand.action(what, name)
    fate = Fate(number, before=before)
    inner = (stand.ctx.kube, stand.agent, stand.ctx.history, stand.provider)
    stand.restart(*(Mortal(one, fate) for one in inner))
    died = False
    try:
        await stand.ended(name)
    except Dead:
        died = True
    stand.ctx = type(stand.ctx)(**{**vars(stand.ctx), "kube": inner[0], "history": inner[2]})
    stand.restart()
    done = await stand.ended(name)
    ran = stand.agent.ran[made.metadata.uid] + (made.metadata.uid in stand.provider.reboots)
    assert ran == (1 if done.status.state == "succeeded" else 0), done.status.to_wire()
    return fate.calls if died else 0


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("what", ["power-cycle", "apply-updates", "reboot"])
async def test_at_most_once(stand: Stand, what: str, *, before: bool) -> None:
    stand.agent.started_at = datetime.now(UTC) + timedelta(days=1)
    deaths = 0
    for number in range(1, 20):
        if not await life(stand, what, number, before=before):
            break
        deaths += 1
    # SQL, the start, the agent twice, the end.
    assert deaths >= 5
