"""Writes on a Bundle whether it is in quarantine."""

from __future__ import annotations

from datetime import datetime

import structlog

from hydracore_core.quarantine import judge
from hydracore_crds import Bundle, conditions
from hydracore_crds.base import find
from hydracore_operator.context import Context

log = structlog.get_logger(__name__)


async def settle_quarantine(ctx: Context, bundle: Bundle) -> tuple[Bundle, datetime | None]:
    """Write the condition ``Quarantined`` where it is to change.

    Only the log names the rollouts that are the cause: the condition is for all tenants to read.

    Returns:
        The bundle as stored, and when to look again, if ever.

    Raises:
        Conflict, KubeError: Not written; what speaks against the bundle is there to be read again.
    """
    found = judge(bundle, ctx.stores.rollouts.all(), ctx.now())
    wanted, stored = found.condition, find(bundle.status.conditions, conditions.QUARANTINED)
    if wanted is None or wanted == stored:
        return bundle, found.again
    status = bundle.status.model_copy(deep=True)
    others = [one for one in status.conditions if one.type != conditions.QUARANTINED]
    status.conditions = [*others, wanted]
    written = await ctx.kube.update_status(bundle, status)
    ctx.stores.bundles.upsert(written)
    log.warning(
        "bundle_quarantined" if wanted.status == "True" else "bundle_released_from_quarantine",
        bundle=bundle.key,
        reason=wanted.reason,
        rollouts=list(found.against),
    )
    return written, found.again
