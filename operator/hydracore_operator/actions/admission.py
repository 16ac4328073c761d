"""Whether an action that could start may: what already ran never runs again."""

from __future__ import annotations

from datetime import timedelta

from hydracore_core.actions.model import ActionView, Finish, Start, Wait
from hydracore_core.executions import spec_hash
from hydracore_crds import InstanceAction, conditions
from hydracore_history import HistoryUnavailable
from hydracore_operator.context import Context

HISTORY_AGAIN = timedelta(seconds=5)


async def admit(ctx: Context, view: ActionView, start: Start) -> Start | Finish | Wait:
    """Ask SQL whether this namespace, name and spec ran before; from now on they did.

    A crash right after this leaves a row with the same uid, with which the action still starts.
    """
    metadata = view.action.metadata
    try:
        execution = await ctx.history.executions.begin(
            kind=InstanceAction.KIND.kind,
            namespace=metadata.namespace or "",
            name=metadata.name,
            spec_hash=spec_hash(view.action.spec),
            uid=metadata.uid,
            at=view.now,
        )
    except HistoryUnavailable as error:
        text = f"the database cannot say whether this ran before ({error})"
        return Wait(conditions.HISTORY_UNAVAILABLE, text, view.now + HISTORY_AGAIN)
    if execution.uid == metadata.uid:
        return start
    text = (
        f"an action of this name and spec ran already (uid {execution.uid}): create one under "
        "another name if it is to run again"
    )
    return Finish("failed", conditions.ALREADY_EXECUTED, text)
