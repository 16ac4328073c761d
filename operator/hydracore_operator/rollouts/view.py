"""What the plan gets to see of one tenant."""

from __future__ import annotations

from hydracore_core.rollouts.model import TenantView
from hydracore_crds.platform_policy import DEFAULT_NAME as PLATFORM_DEFAULT
from hydracore_crds.update_policy import DEFAULT_NAME
from hydracore_operator.rollouts.filed import targets_of
from hydracore_operator.rollouts.tenant import Tenant


def build_view(tenant: Tenant, granted: int | None) -> TenantView:
    """Read the stores and the acknowledged ledger. Nothing is asked or written.

    Slots that the next ledger write frees are left out: that write claims for what the plan
    starts, and checks the limit on what is then stored. A namespace that lost its tenant label is
    treated as one that ends: nothing starts, what runs is settled.

    Args:
        tenant: The tenant.
        granted: How many slots the platform grants it; None where it has no cap.
    """
    stores, namespace = tenant.ctx.stores, tenant.namespace
    found = stores.namespaces.get(namespace)
    rollouts = stores.rollouts.in_namespace(namespace)
    there = {rollout.metadata.uid for rollout in rollouts}
    tenant.began = {uid: fact for uid, fact in tenant.began.items() if uid in there}
    return TenantView(
        namespace=namespace,
        now=tenant.ctx.now(),
        policy=stores.policies.get(f"{namespace}/{DEFAULT_NAME}"),
        platform=stores.platform.get(PLATFORM_DEFAULT),
        rollouts=rollouts,
        targets=targets_of(stores, namespace),
        instances=stores.instances.in_namespace(namespace),
        bundles={bundle.metadata.name: bundle for bundle in stores.bundles.all()},
        slots=tenant.ledger.slots(without=tenant.freeing),
        began=dict(tenant.began),
        granted=granted,
        followed_since=tenant.since,
        terminating=found is None or found.terminating or found.tenant_id is None,
    )
