"""Previews: what a rollout would do, with nothing created."""

from __future__ import annotations

import asyncio
import secrets
from typing import Any

from hydracore_api.auth.principal import Principal
from hydracore_api.errors import Conflict, Unprocessable
from hydracore_api.rollouts.start import fleet_spec, newest
from hydracore_api.rollouts.tenant import view_of
from hydracore_api.services import Services
from hydracore_core.rollouts.estimate import Observed, observe
from hydracore_core.rollouts.preview import NoPlan, preview
from hydracore_core.rollouts.preview_model import RolloutPreview
from hydracore_crds import ObjectMeta, Rollout, RolloutTarget
from hydracore_crds.base import API_VERSION
from hydracore_kube import Invalid
from hydracore_kube.paths import where_of

LOOKED_AT = 3
"""So many of the newest archived rollouts are looked at for durations."""

_STRICT = "strict decoding error: "


async def plans(
    services: Services, principal: Principal, spec: dict[str, Any] | None
) -> list[RolloutPreview]:
    """Return what a rollout with this spec would do; without one, what a fleet rollout would.

    Raises:
        Unprocessable: The API server would refuse the spec.
        Conflict: There is no runtime that could be rolled out.
    """
    view = view_of(services, principal.namespace)
    if spec is None:
        bundles = newest(services, view.instances) if view.instances else []
        specs = [fleet_spec(bundle).to_wire() for bundle in bundles]
    else:
        specs = [spec]
    wanted = [await _checked(services, principal, one) for one in specs]
    observed = observe(view.targets) or await _archived(services, principal)
    try:
        # In a thread: thousands of instances take longer than other requests should wait.
        return [await asyncio.to_thread(preview, view, one, observed) for one in wanted]
    except NoPlan as error:
        text = str(error)
        raise Conflict(text[:1].upper() + text[1:]) from None


async def _checked(services: Services, principal: Principal, spec: dict[str, Any]) -> Rollout:
    """Return the rollout as the API server would store it."""
    name = f"plan-{secrets.token_hex(4)}"
    metadata = {"name": name, "namespace": principal.namespace}
    body = {"apiVersion": API_VERSION, "kind": "Rollout", "metadata": metadata, "spec": spec}
    place = where_of(Rollout, principal.namespace)
    try:
        stored = await services.kube.create_raw(place, body, strict=True, dry_run=True)
    except Invalid as error:
        if error.causes or _STRICT not in error.message:
            raise
        raise Unprocessable(["body", "spec"], error.message.partition(_STRICT)[2]) from None
    found = Rollout.model_validate(stored)
    return Rollout(metadata=ObjectMeta(name=name), spec=found.spec)


async def _archived(services: Services, principal: Principal) -> Observed | None:
    """Return how long updates took in the newest rollouts that have left the cluster."""
    rollouts = services.history.rollouts
    tenant = principal.tenant_id
    for one in await rollouts.list(principal.namespace, LOOKED_AT, 0, tenant_id=tenant):
        found = await rollouts.get(one.uid)
        targets = found.targets if found is not None else ()
        observed = observe(RolloutTarget.model_validate(target.wire) for target in targets)
        if observed is not None:
            return observed
    return None
