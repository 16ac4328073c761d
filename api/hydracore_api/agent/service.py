"""Rules of enrolment: stages rise, a key is issued once, the first heartbeat ends the token."""

from __future__ import annotations

import structlog

from hydracore_api.agent.schemas import (
    BundlePublicKey,
    ControlPlanePublicKey,
    Enrolment,
    Heartbeat,
    HeartbeatAnswer,
    Issued,
    StageAccepted,
    StageReport,
    manifest,
)
from hydracore_api.auth.agents import generate_agent_key, hash_token, same_instance
from hydracore_api.errors import Conflict, NotFound
from hydracore_api.services import Services
from hydracore_crds import Instance
from hydracore_crds.names import WAKE_ANNOTATION
from hydracore_history import Credential
from hydracore_kube import NotFound as KubeNotFound

log = structlog.get_logger(__name__)


async def report_stage(
    services: Services, credential: Credential, report: StageReport
) -> StageAccepted:
    """Store a stage report and wake the operator.

    Raises:
        NotFound: The Instance is gone.
    """
    same_instance(credential, report.instance_id)
    result = await services.history.stages.record(
        report.instance_id,
        stage=report.stage,
        seq=report.seq,
        level=report.level,
        message=report.message,
        at=services.now(),
    )
    # Also for a report that was stored before: the first answer, or our write, may have been lost.
    await _wake(services, credential, str(result.last_seq))
    return StageAccepted(accepted=result.accepted, last_seq=result.last_seq)


async def enrol(services: Services, credential: Credential, request: Enrolment) -> Issued:
    """Issue the agent's key, once.

    Raises:
        Conflict: A key was issued before.
    """
    same_instance(credential, request.instance_id)
    key = generate_agent_key()
    issued = await services.history.credentials.issue_key(
        request.instance_id,
        key_hash=hash_token(key),
        public_key=request.public_key,
        at=services.now(),
    )
    if not issued:
        raise Conflict(
            "A key was issued for this instance before: if it never arrived, it must be rotated"
        )
    log.info("agent_key_issued", instance_id=request.instance_id)
    if credential.public_key not in (None, request.public_key):
        # After a rotation another agent answers: the operator has to trust its new identity.
        await _wake(services, credential, f"identity-{hash_token(request.public_key)[:16]}")
    return Issued(agent_key=key)


async def heartbeat(services: Services, credential: Credential, beat: Heartbeat) -> HeartbeatAnswer:
    """Store an agent's heartbeat; the first one ends the bootstrap token."""
    same_instance(credential, beat.instance_id)
    at = services.now()
    await services.history.health.heartbeat(
        beat.instance_id,
        at=at,
        versions=manifest(beat.versions),
        health_status=beat.health_status,
        uptime_seconds=int(beat.uptime_seconds),
    )
    if credential.armed:
        await services.history.credentials.disarm(
            beat.instance_id, at, key_hash=credential.key_hash
        )
    key = services.control_plane_key
    return HeartbeatAnswer(
        next_seconds=services.settings.heartbeat_seconds,
        control_plane_keys=[ControlPlanePublicKey(kid=key.kid, public_key=key.public_key_base64)],
        trusted_bundle_keys=[
            BundlePublicKey(key_id=entry["keyId"], public_key=entry["publicKey"])
            for entry in services.trusted_keys.to_wire()
        ],
    )


async def _wake(services: Services, credential: Credential, why: str) -> None:
    known = services.cache.instances.get(f"{credential.namespace}/{credential.name}")
    if known is not None and known.metadata.annotations.get(WAKE_ANNOTATION) == why:
        return
    body = {"metadata": {"annotations": {WAKE_ANNOTATION: why}}}
    try:
        changed = await services.kube.patch(Instance, credential.name, credential.namespace, body)
    except KubeNotFound:
        raise NotFound("The instance does not exist any more") from None
    services.cache.instances.upsert(changed)
