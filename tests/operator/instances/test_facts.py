"""Pure parts of the Instance reconcile, with a fake clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hydracore_agentclient import ControlPlaneKey
from hydracore_artifacts.signing import TrustedKey, TrustedKeys
from hydracore_crds import Bundle, Instance
from hydracore_crds.instance import InstanceStatus
from hydracore_history import StageReport
from hydracore_kube import ObjectStore
from hydracore_operator.context import Context
from hydracore_operator.instances.admission import duplicate
from hydracore_operator.instances.deletion import snapshot
from hydracore_operator.instances.enrolment import NEXT_STEPS, STAGE_LIMITS, overdue, stage_of
from hydracore_operator.instances.provision_log import lines
from hydracore_operator.instances.scope import Scope
from hydracore_operator.instances.user_data import user_data
from tests.operator.instances.world import bundle

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ID = "11111111-2222-4333-8444-555555555555"


def report(stage: str, at: datetime = NOW) -> StageReport:
    return StageReport(ID, stage, 3, "info", "last words", at)


def instance(**spec: Any) -> Instance:
    return Instance.model_validate(
        {
            "metadata": {"name": "ada", "namespace": "acme", "uid": ID},
            "spec": {"className": "c", "regionId": "r", "id": ID, **spec},
        }
    )


@pytest.mark.parametrize("stage", list(STAGE_LIMITS))
def test_each_stage_is_overdue_right_after_its_limit(stage: str) -> None:
    limit = STAGE_LIMITS[cast("Any", stage)]
    last = None if stage == "ordered" else report(stage)
    assert overdue(last, NOW, NOW + limit) is None
    late = overdue(last, NOW, NOW + limit + timedelta(seconds=1))
    assert late is not None
    assert late.reason == "BootstrapTimeout"
    assert stage in late.message
    assert NEXT_STEPS[cast("Any", stage)] in late.message
    assert ("last words" if last else "never reported") in late.message


def test_a_report_restarts_the_clock_and_the_message_does_not_change_with_time() -> None:
    created = NOW - timedelta(hours=1)
    assert overdue(report("booting"), created, NOW + timedelta(minutes=4)) is None
    first = overdue(report("booting"), created, NOW + timedelta(minutes=6))
    assert first == overdue(report("booting"), created, NOW + timedelta(hours=6))


def test_another_tenants_instance_is_not_named() -> None:
    holder = Instance.model_validate(
        {
            "metadata": {"name": "secret", "namespace": "rival", "uid": "1"},
            "spec": {"className": "c", "regionId": "r", "id": ID},
            "status": {"provider": {"name": "local", "serverId": "s"}},
        }
    )
    stores = SimpleNamespace(instances=ObjectStore(Instance, index=lambda found: found.spec.id))
    stores.instances.upsert(holder)
    scope = SimpleNamespace(instance=instance(), instance_id=ID, ctx=SimpleNamespace(stores=stores))
    problem = duplicate(cast("Scope", scope))
    assert problem is not None
    assert (problem.reason, ID in problem.message) == ("DuplicateId", True)
    assert "secret" not in problem.message
    assert "rival" not in problem.message


def test_what_the_operator_has_not_seen_itself_is_not_healthy() -> None:
    assert stage_of(None) == "ordered"
    assert stage_of(report("healthy")) == "bundle_installed"
    assert stage_of(report("something new")) == "ordered"


def status(**fields: Any) -> InstanceStatus:
    return InstanceStatus.model_validate(fields)


def test_each_step_is_told_once() -> None:
    empty = status()
    ordered = status(hostname="h", provider={"name": "local", "serverType": "s", "location": "l"})
    there = ordered.model_copy(deep=True)
    assert there.provider is not None
    there.provider.server_id, there.ip_address = "srv", "127.0.0.1"
    assert [x.key for x in lines(empty, ordered)] == ["ordered:h"]
    assert [x.message for x in lines(ordered, there)] == ["the server h is there, at 127.0.0.1"]
    assert lines(there, there) == []
    broken = there.model_copy(update={"error_code": "ServerLost", "error_message": "gone"})
    (line,) = lines(there, broken)
    assert (line.level, line.message) == ("error", "ServerLost: gone")
    assert lines(broken, broken) == []
    assert lines(broken, there) == []


def context(trusted: TrustedKey) -> Context:
    class Settings:
        agent_api_url = "http://127.0.0.1:8000"
        agent_trial_seconds = 7.0
        health_interval_seconds = 9.0

    class Half:
        settings = Settings()
        llm = ()
        key = ControlPlaneKey(Ed25519PrivateKey.from_private_bytes(b"k" * 32))

    half = cast("Any", Half())
    half.trusted = TrustedKeys((trusted,))
    return cast("Context", half)


def test_user_data_is_what_the_agent_expects() -> None:
    trusted = TrustedKey("tk", Ed25519PrivateKey.from_private_bytes(b"t" * 32).public_key())
    ctx = context(trusted)
    runtime = Bundle.model_validate(bundle("runtime-x-1.0.0", "x", "1.0.0"))
    made = user_data(ctx, instance(customerId="cust", workflowSlugs=["w"]), runtime)
    token = made.pop("bootstrapToken")
    assert token.startswith("hcb_")
    assert made == {
        "instanceId": ID,
        "agentName": "ada",
        "profile": {
            "presetId": "personal_assistant",
            "manifestId": None,
            "recipeId": None,
            "websiteTemplateSlug": None,
            "workflowSlugs": ["w"],
            "userDisplayName": None,
            "customerId": "cust",
        },
        "apiUrl": "http://127.0.0.1:8000",
        "controlPlaneKeys": [{"kid": ctx.key.kid, "publicKey": ctx.key.public_key_base64}],
        "trustedBundleKeys": [trusted.to_wire()],
        "llm": [],
        "trialSeconds": 7.0,
        "heartbeatSeconds": 9.0,
        "runtime": {
            "slug": "x",
            "version": "1.0.0",
            "sha256": runtime.spec.artifact.sha256,
            "sizeBytes": 10,
            "keyId": "k",
            "signature": "A" * 86 + "==",
        },
    }
    assert user_data(ctx, instance(), runtime)["bootstrapToken"] == token
    assert user_data(ctx, instance(agentName="Ada"), runtime)["agentName"] == "Ada"


def test_the_snapshot_holds_spec_and_status_but_not_what_kubectl_keeps() -> None:
    obj = instance(agentName="Ada")
    obj.status.hostname = "h"
    obj.metadata.annotations = {
        "kubectl.kubernetes.io/last-applied-configuration": "{}",
        "note": "kept",
    }
    kept = snapshot(obj)
    assert kept["spec"]["agentName"] == "Ada"
    assert kept["status"] == {"hostname": "h", "conditions": []}
    assert kept["metadata"]["annotations"] == {"note": "kept"}
