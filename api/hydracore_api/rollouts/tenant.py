"""A tenant as the plan reads it, from the watch cache. What history knows is the operator's."""

from __future__ import annotations

from hydracore_api.services import Services
from hydracore_core.rollouts.model import TenantView
from hydracore_crds.platform_policy import DEFAULT_NAME as PLATFORM_DEFAULT
from hydracore_crds.update_policy import DEFAULT_NAME


def view_of(services: Services, namespace: str) -> TenantView:
    """Return everything that the cache has of a tenant.

    Slots stand in the operator's namespace: what is in flight is known from the targets.
    """
    cache = services.cache
    tenant = cache.namespaces.get(namespace)
    return TenantView(
        namespace=namespace,
        now=services.now(),
        policy=cache.policies.get(f"{namespace}/{DEFAULT_NAME}"),
        platform=cache.platform.get(PLATFORM_DEFAULT),
        rollouts=cache.rollouts.in_namespace(namespace),
        targets=cache.targets.in_namespace(namespace),
        instances=cache.instances.in_namespace(namespace),
        bundles={bundle.metadata.name: bundle for bundle in cache.bundles.all()},
        terminating=tenant is None or tenant.terminating,
    )
