"""The five actions on a real agent of a real stack, by REST and by kubectl."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hydracore_cli.stack.env_file import read_env
from hydracore_cli.stack.layout import layout_of
from hydracore_operator.providers.local.record import ServerRecord, records
from tests.stack.models import KEY, Models
from tests.stack.test_stack import Stack, alive, command, environ, instance, load_kubectl

__all__ = ["environ", "instance"]
pytestmark = pytest.mark.stack


@pytest.fixture(scope="module")
def models() -> Iterator[Models]:
    with Models() as made:
        yield made


@pytest.fixture(scope="module")
def stack(
    environ: dict[str, str], models: Models, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    """A stack whose agents know a language model."""
    folder = tmp_path_factory.mktemp("actions")
    provider = {"name": "loopback", "baseUrl": models.url, "model": "tiny", "apiKey": KEY}
    (folder / "llm.json").write_text(json.dumps([provider]))
    outer = {**environ, "HYDRACORE_AGENT_LLM_FILE": str(folder / "llm.json")}
    layout = layout_of(folder / "state")
    done = command(outer, "up", "--state-dir", str(layout.state_dir))
    try:
        assert done.returncode == 0, done.stdout + done.stderr
        yield Stack(layout, outer, done.stdout)
    finally:
        command(outer, "down", "--state-dir", str(layout.state_dir))


class Ada:
    """The instance: what REST, its server's folder and the processes of this machine say."""

    def __init__(self, stack: Stack, shown: dict[str, Any]) -> None:
        self.stack = stack
        self.id = str(shown["id"])
        self.kubectl = load_kubectl(stack)
        env = read_env(stack.layout.env)
        self.namespace = env["HYDRACORE_NAMESPACE"]
        found = self.kubectl("get", "instances", "-n", self.namespace, "-o", "json")
        items = json.loads(found)["items"]
        self.name = next(i["metadata"]["name"] for i in items if i["spec"]["id"] == self.id)

    def post(self, path: str, body: Any = None) -> dict[str, Any]:
        with self.stack.rest() as rest:
            answer = rest.post(f"/v1/instances/{self.id}/{path}", json=body, timeout=60)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def timeline(self) -> list[dict[str, Any]]:
        with self.stack.rest() as rest:
            found = rest.get(f"/v1/instances/{self.id}/actions", params={"limit": 100})
        entries: list[dict[str, Any]] = found.json()["actions"]
        return entries

    def chat(self, message: str) -> tuple[str, dict[str, Any]]:
        with self.stack.rest() as rest:
            answer = rest.post(f"/v1/instances/{self.id}/chat", json={"message": message})
        assert answer.status_code == 200, answer.text
        events = [json.loads(line[6:]) for line in answer.text.splitlines() if line[:5] == "data:"]
        return "".join(event.get("text", "") for event in events), events[-1]

    @property
    def server(self) -> tuple[Path, ServerRecord]:
        return next(records(self.stack.layout.servers))

    def events(self, action_id: str) -> list[str]:
        """Return what the agent's own ledger has of an action."""
        lines = (self.server[0] / "state" / "actions.jsonl").read_text().splitlines()
        return [x["event"] for x in map(json.loads, lines) if x["actionId"] == action_id]


@pytest.fixture(scope="module")
def ada(stack: Stack, instance: dict[str, Any]) -> Ada:
    return Ada(stack, instance)


def check_restart(ada: Ada, action_id: str, detail: dict[str, Any]) -> float:
    """Assert that one process went and another came; return after how many seconds."""
    before, after = int(detail["pidBefore"]), int(detail["pidAfter"])
    assert before != after
    assert not alive(before)
    assert alive(after)
    assert ada.events(action_id) == ["accepted", "restarting", "succeeded"]
    return int(detail["backAfterMs"]) / 1000


def test_a_power_cycle_by_rest_is_a_real_exit_and_back_in_about_two_seconds(
    ada: Ada, record_property: Callable[[str, object], None]
) -> None:
    done = ada.post("actions/power-cycle")
    assert (done["action"], done["status"]) == ("power-cycle", "succeeded")
    seconds = check_restart(ada, done["action_id"], done["detail"])
    record_property("power_cycle_seconds", seconds)
    # Two seconds are the launcher's pause; the rest is the start on whatever machine this is.
    assert 2.0 <= seconds < 10.0
    assert abs(done["duration_ms"] / 1000 - seconds) < 2.0


def test_a_power_cycle_by_kubectl(ada: Ada, tmp_path: Path) -> None:
    manifest = {
        "apiVersion": "hydracore.io/v1alpha1",
        "kind": "InstanceAction",
        "metadata": {"generateName": "restart-"},
        "spec": {"instanceName": ada.name, "action": "power-cycle"},
    }
    (tmp_path / "action.json").write_text(json.dumps(manifest))
    place = ("-n", ada.namespace)
    name = ada.kubectl("create", *place, "-f", str(tmp_path / "action.json"), "-o", "name").strip()
    ada.kubectl("wait", *place, name, "--for=condition=Succeeded", "--timeout=45s")
    found = json.loads(ada.kubectl("get", *place, name, "-o", "json"))
    assert found["status"]["state"] == "succeeded"
    check_restart(ada, found["metadata"]["uid"], found["status"]["detail"])
    assert "requestedBy" not in found["spec"]
    shown = ada.kubectl("get", "hac", *place)
    assert "power-cycle" in shown


def test_applying_a_manifest_again_restarts_nothing(ada: Ada, tmp_path: Path) -> None:
    manifest = {
        "apiVersion": "hydracore.io/v1alpha1",
        "kind": "InstanceAction",
        "metadata": {"name": "once"},
        "spec": {"instanceName": ada.name, "action": "power-cycle"},
    }
    path, place = tmp_path / "once.json", ("-n", ada.namespace)
    path.write_text(json.dumps(manifest))
    ada.kubectl("apply", *place, "-f", str(path))
    ada.kubectl("wait", *place, "hac/once", "--for=condition=Succeeded", "--timeout=45s")
    before = int(json.loads(ada.kubectl("get", *place, "hac/once", "-o", "json"))["status"]
                 ["detail"]["pidAfter"])  # fmt: skip
    ada.kubectl("apply", *place, "-f", str(path))
    ada.kubectl("delete", *place, "hac/once")
    ada.kubectl("apply", *place, "-f", str(path))
    ada.kubectl("wait", *place, "hac/once", "--for=condition=Succeeded=False", "--timeout=45s")
    found = json.loads(ada.kubectl("get", *place, "hac/once", "-o", "json"))
    assert found["status"]["conditions"][0]["reason"] == "AlreadyExecuted"
    assert alive(before)
    assert ada.events(found["metadata"]["uid"]) == []


def test_a_reboot_restarts_the_whole_server(ada: Ada) -> None:
    machine = ada.server[1].machine
    done = ada.post("actions/reboot")
    assert done["status"] == "succeeded"
    assert machine is not None
    after = ada.server[1].machine
    assert after is not None
    assert after != machine
    assert not alive(machine[0])
    assert alive(int(done["detail"]["agentPid"]))
    lines = (ada.server[0] / "reboots.jsonl").read_text().splitlines()
    assert [json.loads(x)["requestId"] for x in lines if x] == [done["action_id"]]


def test_diagnostics_are_a_live_report(ada: Ada) -> None:
    report = ada.post("actions/run-diagnostics")
    assert report["status"] == "healthy"
    assert report["cached"] is False
    assert {"disk", "process", "release", "orders", "model_providers"} <= set(report["subsystems"])
    assert "files are as installed" in report["subsystems"]["release"]["message"]
    assert report["subsystems"]["release"]["latency_ms"] > 0


def test_cleared_circuit_breakers_let_the_provider_be_asked_again(ada: Ada, models: Models) -> None:
    said, last = ada.chat("hello")
    assert (said, last["model"], last["offline"]) == ("I am a model.", "tiny", False)
    models.status = 503
    for _ in range(4):
        said, last = ada.chat("hello")
        assert "no configured language model can be reached now" in said
        assert last["offline"] is True
    asked = models.asked
    ada.chat("hello")
    assert models.asked == asked, "an open breaker lets nothing through"
    report = ada.post("actions/run-diagnostics")["subsystems"]["model_providers"]
    assert (report["status"], "loopback: open" in report["message"]) == ("degraded", True)
    models.status = 200
    done = ada.post("actions/clear-circuit-breakers")
    assert (done["message"], done["detail"]) == ("cleared loopback", {"before.loopback": "open"})
    said, last = ada.chat("hello")
    assert (said, last["offline"]) == ("I am a model.", False)
    assert models.keys == {f"Bearer {KEY}"}


def test_applied_updates_reach_the_running_agent(ada: Ada, models: Models) -> None:
    patch = json.dumps({"spec": {"agentName": "Eve", "userDisplayName": "Grace"}})
    place = ("-n", ada.namespace)
    ada.kubectl("patch", "instance", ada.name, *place, "--type=merge", "-p", patch)
    done = ada.post("updates/apply", {})
    assert done == {
        "instance_id": ada.id,
        "status": "succeeded",
        "message": "applied agentName, userDisplayName",
    }
    ada.chat("who are you?")
    assert models.systems[-1] == "You are Eve, the assistant of Grace."
    assert ada.post("updates/apply", {})["message"] == "everything was current already"
    done = ada.post("updates/apply", {"force": True, "restart_agent": True})
    newest = ada.timeline()[0]
    assert (newest["action"], newest["status"]) == ("apply-updates", "succeeded")
    check_restart(ada, newest["action_id"], newest["detail"])
    ada.chat("and now?")
    assert models.systems[-1] == "You are Eve, the assistant of Grace."


def test_the_timeline_has_them_all_and_no_secret_is_anywhere(ada: Ada) -> None:
    entries = ada.timeline()
    assert {entry["action"] for entry in entries} == {
        "power-cycle",
        "reboot",
        "run-diagnostics",
        "clear-circuit-breakers",
        "apply-updates",
    }
    times = [entry["created_at"] for entry in entries]
    assert times == sorted(times, reverse=True)
    assert any(str(entry["requested_by"]).startswith("api-key ") for entry in entries)
    objects = ada.kubectl("get", "hac,hin", "-A", "-o", "json")
    logs = "".join(path.read_text() for path in ada.stack.layout.logs.iterdir())
    logs += "".join(path.read_text() for path in (ada.server[0] / "log").glob("*.log"))
    for text in (objects, logs, json.dumps(entries)):
        assert KEY not in text
