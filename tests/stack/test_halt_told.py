"""A rollout of a real stack halts, a webhook hears of it, and who rolls out again is warned."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from hydracore_cli.demo.scene import PLUGINS
from hydracore_cli.stack.layout import layout_of
from tests.operator.notifications.test_signing import Verify, verify
from tests.stack.hooks import Hooks
from tests.stack.test_stack import Stack, command, environ, load_kubectl, wait_for

__all__ = ["environ", "verify"]
pytestmark = pytest.mark.stack

BAD = "runtime-expressclaw-1.2.0"
START = "/v1/instances/fleet/runtime/rollout"
MAY_TELL = {"HYDRACORE_WEBHOOK_ALLOW_HTTP": "true", "HYDRACORE_WEBHOOK_ALLOW_PRIVATE": "true"}


@pytest.fixture(scope="module")
def hooks() -> Iterator[Hooks]:
    with Hooks() as made:
        yield made


@pytest.fixture(scope="module")
def stack(
    environ: dict[str, str], hooks: Hooks, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    """A stack with two instances, one update at once, and a webhook."""
    layout = layout_of(tmp_path_factory.mktemp("halt") / "state")
    outer = {**environ, **MAY_TELL}
    done = command(outer, "up", "--state-dir", str(layout.state_dir))
    try:
        assert done.returncode == 0, done.stdout + done.stderr
        made = Stack(layout, outer, done.stdout)
        apply_policy(made, hooks)
        create_instances(made, "Ada", "Bob")
        yield made
    finally:
        command(outer, "down", "--state-dir", str(layout.state_dir))


def apply_policy(stack: Stack, hooks: Hooks) -> None:
    webhook = {"name": "pager", "url": hooks.url, "events": ["halted"]}
    policy = {
        "apiVersion": "hydracore.io/v1alpha1",
        "kind": "UpdatePolicy",
        "metadata": {"name": "default", "namespace": "acme"},
        "spec": {"maxParallelRollouts": 1, "notifications": [webhook]},
    }
    file = stack.layout.state_dir / "policy.json"
    file.write_text(json.dumps(policy))
    load_kubectl(stack)("apply", "-f", str(file))


def create_instances(stack: Stack, *names: str) -> None:
    with stack.rest() as rest:
        for name in names:
            body = {"tier_id": "local-small", "region_id": "local", "agent_name": name}
            answer = rest.post("/v1/instances", json=body)
            assert answer.status_code == 202, answer.text
        kubectl = load_kubectl(stack)

        def running() -> bool:
            items = json.loads(kubectl("get", "instances", "-n", "acme", "-o", "json"))["items"]
            states = [one.get("status", {}).get("state") for one in items]
            return states == ["running"] * len(names)

        wait_for(running, 120, "all running")


def publish_bad_runtime(stack: Stack) -> None:
    """Build, sign and publish a runtime that crashes on start."""
    file = stack.layout.state_dir / "bad.tar.gz"
    plugin = str(PLUGINS / "forecast.py")
    version = ("--version", "1.2.0", "--out", str(file), "--plugin", plugin)
    assert command(stack.environ, "bundle", "build", *version).returncode == 0
    for verb in ("sign", "publish"):
        done = stack.run("bundle", verb, str(file))
        assert done.returncode == 0, done.stderr
    kubectl = load_kubectl(stack)
    wait_for(lambda: "True" in kubectl("get", "bundle", BAD), 30, "Ready")


def stored(stack: Stack, *what: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(load_kubectl(stack)("get", *what, "-o", "json"))
    return found


def condition(obj: dict[str, Any], type_: str) -> dict[str, Any] | None:
    found = obj.get("status", {}).get("conditions", [])
    return next((one for one in found if one["type"] == type_), None)


@pytest.fixture(scope="module")
def halted(stack: Stack) -> dict[str, Any]:
    """Return a rollout of the bad runtime, made by REST, once it has halted."""
    publish_bad_runtime(stack)
    with stack.rest() as rest:
        answer = rest.post(START)
    assert answer.status_code == 202, answer.text
    assert answer.json()["warnings"] == []

    def rollout() -> dict[str, Any] | None:
        (found,) = stored(stack, "rollouts", "-n", "acme")["items"]
        return found if found.get("status", {}).get("haltReason") else None

    found: dict[str, Any] = wait_for(rollout, 120, "the halt")
    return found


def test_a_halt_is_told_once_signed_and_in_the_words_of_the_rollout(
    stack: Stack, hooks: Hooks, halted: dict[str, Any], verify: Verify
) -> None:
    wait_for(lambda: len(hooks.of("rollout.halted")) == 2, 60, "the second attempt")
    key = stored(stack, "updatepolicy", "default", "-n", "acme")["status"]["webhookPublicKey"]
    for told in hooks.got:
        verify(told.headers, told.body, key, told.at)
    first, second = hooks.of("rollout.halted")
    assert (first.id, first.body) == (second.id, second.body)
    data = second.event["data"]
    assert data["rollout"] == {
        "id": halted["metadata"]["uid"],
        "name": halted["metadata"]["name"],
    }
    assert data["reason"] == halted["status"]["haltReason"]
    assert "stations.json" in data["reason"], "what the agent said"
    assert (data["counts"]["failed"], data["counts"]["queued"]) == (1, 1)
    assert data["needed"]["decision"] == ["resume", "rollback", "cancel"]
    with pytest.raises(ValueError, match="no signature of this key"):
        verify(second.headers, second.body.replace(b"acme", b"emca"), key, second.at)

    def delivered() -> bool:
        policy = stored(stack, "updatepolicy", "default", "-n", "acme")
        return (condition(policy, "NotificationsDelivered") or {}).get("status") == "True"

    wait_for(delivered, 30, "delivered")
    assert len(hooks.of("rollout.halted")) == 2
    assert len({told.id for told in hooks.got}) == 2, "the greeting, and the halt"


def test_who_rolls_the_bundle_out_again_is_warned_by_rest_and_by_kubectl(
    stack: Stack, halted: dict[str, Any]
) -> None:
    wait_for(lambda: condition(stored(stack, "bundle", BAD), "Quarantined"), 30, "quarantine")

    def warned() -> list[str]:
        with stack.rest() as rest:
            (plan,) = rest.post("/v1/instances/fleet/runtime/rollouts/plan", json={}).json()
        found: list[str] = plan["warnings"]
        return found

    (foreseen,) = wait_for(warned, 30, "the API's cache")
    with stack.rest() as rest:
        answer = rest.post(START).json()
    (warning,) = answer["warnings"]
    assert warning == foreseen
    assert warning.startswith(f"bundle {BAD} is in quarantine (RolloutHalted): 1 rollout halted")
    assert answer["message"].endswith(warning)

    def told() -> dict[str, Any] | None:
        items = stored(stack, "rollouts", "-n", "acme")["items"]
        (new,) = [one for one in items if one["metadata"]["uid"] != halted["metadata"]["uid"]]
        return condition(new, "Quarantined")

    found = wait_for(told, 30, "the new rollout's condition")
    assert (found["status"], found["reason"], found["message"]) == (
        "True",
        "RolloutHalted",
        warning,
    )
