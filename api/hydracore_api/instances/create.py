"""Creating an instance once, however often and at whatever places it is asked for.

First the idempotency key is claimed in SQL: the claim fixes the instance's id and the object's
name. Then the object is created under that name; that it is there already is no error. Whoever
asks again with the same key and body gets the same answer, also after the instance was deleted.
"""

from __future__ import annotations

import hashlib
import json
import uuid

import structlog
from pydantic import ValidationError

from hydracore_api.auth.principal import Principal
from hydracore_api.errors import Conflict, ServiceUnavailable, Unprocessable
from hydracore_api.instances.schemas import CreateInstance, InstanceCreated
from hydracore_api.services import Services
from hydracore_crds import Instance, ObjectMeta
from hydracore_crds.instance import InstanceSpec
from hydracore_crds.names import MANAGED_BY_LABEL
from hydracore_history import IdempotencyRecord
from hydracore_kube import AlreadyExists
from hydracore_kube import NotFound as KubeNotFound

MESSAGE = "The instance is being provisioned: follow it by its id or by the idempotency key"

log = structlog.get_logger(__name__)


async def create(services: Services, principal: Principal, body: CreateInstance) -> InstanceCreated:
    """Order an instance.

    Raises:
        Unprocessable: Unknown tier or region, or the key stands for another body.
        Conflict: The tenant is being deleted.
    """
    key = body.idempotency_key or str(uuid.uuid4())
    digest = body_hash(body)
    claim = await services.history.idempotency.get(principal.tenant_id, key)
    if claim is None:
        check_offer(services, body)
        instance_id = str(uuid.uuid4())
        _object(principal, body, key, instance_id, object_name(principal.tenant_id, key))
        claim = await services.history.idempotency.claim(
            principal.tenant_id,
            key,
            body_hash=digest,
            instance_id=instance_id,
            name=object_name(principal.tenant_id, key),
            at=services.now(),
        )
    if claim.body_hash != digest:
        raise Unprocessable(
            ["body", "idempotency_key"],
            "this key was used with another body: use a new key for another order",
            "idempotency_key_reused",
        )
    task_id = claim.task_id or await _make(services, principal, body, claim)
    return InstanceCreated(
        idempotency_key=key, instance_id=claim.instance_id, task_id=task_id, message=MESSAGE
    )


def body_hash(body: CreateInstance) -> str:
    """Return the digest by which two bodies are told apart; the key itself does not count."""
    fields = body.model_dump(mode="json", exclude={"idempotency_key"})
    return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()


def object_name(tenant_id: str, key: str) -> str:
    """Return the name of the Instance that a tenant's key makes."""
    return "agent-" + hashlib.sha256(f"{tenant_id}\0{key}".encode()).hexdigest()[:20]


def check_offer(services: Services, body: CreateInstance) -> None:
    """See that the tier and the region exist.

    Raises:
        Unprocessable: One does not; the message names those that do.
    """
    class_ = services.cache.classes.get(body.tier_id)
    if class_ is None:
        known = ", ".join(sorted(one.metadata.name for one in services.cache.classes.all()))
        raise Unprocessable(
            ["body", "tier_id"],
            f"there is no tier {body.tier_id!r}; there are: {known or 'none yet'}",
            "unknown_tier",
        )
    if body.region_id not in class_.spec.regions:
        known = ", ".join(sorted(class_.spec.regions))
        raise Unprocessable(
            ["body", "region_id"],
            f"tier {body.tier_id!r} is not sold in region {body.region_id!r}; "
            f"its regions are: {known}",
            "unknown_region",
        )


async def _make(
    services: Services, principal: Principal, body: CreateInstance, claim: IdempotencyRecord
) -> str | None:
    if await services.history.tombstones.get(claim.instance_id) is not None:
        return None  # made, deleted and archived before its uid could be noted here
    wanted = _object(principal, body, claim.key, claim.instance_id, claim.name)
    try:
        stored = await services.kube.create(wanted)
        log.info("instance_created", instance_id=claim.instance_id, by=principal.id)
    except AlreadyExists:
        stored = await _existing(services, principal, claim)
    services.cache.instances.upsert(stored)
    await services.history.idempotency.set_task(claim.tenant_id, claim.key, stored.metadata.uid)
    return stored.metadata.uid


async def _existing(services: Services, principal: Principal, claim: IdempotencyRecord) -> Instance:
    try:
        stored = await services.kube.get(Instance, claim.name, principal.namespace)
    except KubeNotFound:
        raise ServiceUnavailable("The instance is changing just now: try again") from None
    if stored.spec.id != claim.instance_id:
        raise Conflict(
            f"An Instance named {claim.name} that this key did not make is in the way: delete it"
        )
    return stored


def _object(
    principal: Principal, body: CreateInstance, key: str, instance_id: str, name: str
) -> Instance:
    fields = body.model_dump(exclude={"tier_id", "idempotency_key"})
    try:
        spec = InstanceSpec(id=instance_id, class_name=body.tier_id, idempotency_key=key, **fields)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise Unprocessable(["body", *map(str, first["loc"])], first["msg"]) from None
    metadata = ObjectMeta(
        name=name, namespace=principal.namespace, labels={MANAGED_BY_LABEL: "api"}
    )
    return Instance(metadata=metadata, spec=spec)
