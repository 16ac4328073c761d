"""One plan by all doors: what REST and the command line foresee is what kubectl's rollout does."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import yaml

from hydracore_crds import Instance, Rollout
from hydracore_crds.base import find
from tests.api.support.live import FLEET, Live, live
from tests.operator.rollouts.stand import Stand

pytestmark = [pytest.mark.cluster, pytest.mark.first]

__all__ = ["live"]

WAVES = [
    {"name": "canary", "count": 1, "approval": True},
    {"percent": 50, "approval": True, "bakeSeconds": 1},
]


@pytest_asyncio.fixture
async def stand(
    namespace: str, admin_kubeconfig: str, operator_kubeconfig: str, tmp_path: Path
) -> AsyncIterator[Stand]:
    async with Stand(namespace, admin_kubeconfig, operator_kubeconfig, tmp_path) as made:
        await made.prepare(instances=6, limit=2)
        await unreachable(made)
        yield made


async def unreachable(stand: Stand) -> None:
    """Let one instance be one that a rollout leaves out."""
    found, _ = await stand.admin.list(Instance, stand.namespace)
    status = {"status": {"healthStatus": "unreachable"}}
    name = found[0].metadata.name
    await stand.admin.patch(Instance, name, stand.namespace, status, subresource="status")


class Doors:
    """The same questions by REST and by the command line."""

    def __init__(self, stand: Stand, live: Live, kubeconfig: str, folder: Path) -> None:
        self.stand, self.live = stand, live
        self._environ = {"PATH": os.environ["PATH"], "HOME": "/", "KUBECONFIG": kubeconfig}
        self._folder = folder

    async def rest(self, path: str, body: dict[str, Any]) -> Any:
        answer = await self.live.call("POST", f"{FLEET}/{path}", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def cli(self, *arguments: str) -> tuple[int, str]:
        """Run ``hydracore rollouts …``; return exit status and output."""
        command = [sys.executable, "-m", "hydracore_cli.main", "rollouts", *arguments]
        process = await asyncio.create_subprocess_exec(
            *command,
            "-n",
            self.stand.namespace,
            cwd=self._folder,
            env=self._environ,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        out, _ = await asyncio.wait_for(process.communicate(), 60)
        return process.returncode or 0, out.decode()

    def manifest(self, spec: dict[str, Any]) -> Path:
        head = {"apiVersion": "hydracore.io/v1alpha1", "kind": "Rollout"}
        file = self._folder / "rollout.yaml"
        file.write_text(yaml.safe_dump({**head, "metadata": {"name": "r1"}, "spec": spec}))
        return file


@pytest.fixture
def doors(stand: Stand, live: Live, admin_kubeconfig: str, tmp_path: Path) -> Doors:
    return Doors(stand, live, admin_kubeconfig, tmp_path)


def waits(rollout: Rollout, wave: int) -> bool:
    asked = find(rollout.status.conditions, "Progressing")
    waiting = asked is not None and asked.reason == "AwaitingApproval"
    return waiting and rollout.status.wave == wave


async def test_what_rest_and_the_command_line_foresee_is_what_runs(doors: Doors) -> None:
    stand = doors.stand
    spec = {"bundleName": stand.bundle.metadata.name, "strategy": {"waves": WAVES}}
    file = doors.manifest(spec)
    await doors.live.until(lambda cache: len(cache.instances.in_namespace(stand.namespace)) == 6)
    await doors.live.until(lambda cache: cache.bundles.get(stand.bundle.metadata.name))
    (foreseen,) = await doors.rest("plan", {"spec": spec})
    status, said = await doors.cli("plan", "-f", str(file), "-o", "json")
    assert (status, json.loads(said)) == (0, foreseen)
    rollouts, _ = await stand.admin.list(Rollout, stand.namespace)
    assert rollouts == []

    await stand.operator()
    made = Rollout.model_validate(yaml.safe_load(file.read_text()))
    made.metadata.namespace = stand.namespace
    rollout = await stand.admin.create(made)
    await stand.until(lambda r: waits(r, 1), rollout, "the first question")
    ran = (await stand.admin.get(Rollout, "r1", stand.namespace)).status
    assert ran.plan_hash == foreseen["plan_hash"]
    places = [(t.spec.wave, t.spec.order, t.spec.instance_name) for t in await stand.targets()]
    assert sorted(places) == [
        (wave["number"], one["order"], one["instance_name"])
        for wave in foreseen["waves"]
        for one in wave["targets"]
    ]
    assert ran.skipped is not None
    assert ran.skipped.reasons == foreseen["skipped_reasons"] == {"AgentUnreachable": 1}
    (skipped,) = foreseen["skipped"]
    assert skipped["instance_name"] == ran.skipped.examples[0].instance_name

    first, second = (wave["approval"] for wave in foreseen["waves"][:2])
    await approve_by_rest(doors, rollout, first)
    await stand.until(lambda r: waits(r, 2), rollout, "the second question")
    await approve_by_command_line(doors, second)
    await stand.finished(rollout, "succeeded")
    status, said = await doors.cli("plan", "r1", "-o", "json")
    after = json.loads(said)
    assert after["plan_hash"] == foreseen["plan_hash"]
    assert after["waits_for"] == "it has ended (succeeded)"
    states = {one["state"] for wave in after["waves"] for one in wave["targets"]}
    assert states == {"succeeded"}
    by = [wave.approved_by for wave in (await fresh(stand)).status.waves or []]
    assert by[0] is not None
    assert by[0].startswith("api-key test (")
    assert by[1:] == [await own_name(stand), None]


async def fresh(stand: Stand) -> Rollout:
    return await stand.admin.get(Rollout, "r1", stand.namespace)


async def own_name(stand: Stand) -> str:
    """Return by which name the API server knows the administrator."""
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    reviews = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
    return str((await stand.admin.create_raw(reviews, body))["status"]["userInfo"]["username"])


async def approve_by_rest(doors: Doors, rollout: Rollout, token: str) -> None:
    path = f"{rollout.metadata.uid}/approve"
    wrong = await doors.live.call("POST", f"{FLEET}/{path}", json={"approval": "1@other"})
    assert wrong.status_code == 409
    assert token in wrong.json()["detail"]
    await doors.rest(path, {"approval": token})
    await doors.rest(path, {"approval": token})


async def approve_by_command_line(doors: Doors, token: str) -> None:
    status, said = await doors.cli("approve", "r1")
    assert status == 2
    assert "Nothing is approved yet" in said
    assert f"hydracore rollouts approve r1 {token} -n {doors.stand.namespace}" in said
    assert waits(await fresh(doors.stand), 2)
    status, said = await doors.cli("approve", "r1", "2@other")
    assert status == 1
    assert f"waits for the approval {token} (wave 2 of 3)" in said
    status, said = await doors.cli("approve", "r1", token)
    assert (status, said) == (0, f"approved {token} of r1: the next wave begins\n")
    status, said = await doors.cli("approve", "r1", token)
    assert (status, said) == (0, f"{token} of r1 was approved before: nothing to do\n")


async def test_a_manifest_that_the_api_server_refuses_is_no_plan(doors: Doors) -> None:
    bundle = doors.stand.bundle.metadata.name
    both = {"bundleName": bundle, "strategy": {"waves": [{"count": 1, "percent": 5}]}}
    typo = {"bundleName": bundle, "strategie": {}}
    for spec, said in ((both, "exactly one of count, percent and selector"), (typo, "strategie")):
        status, told = await doors.cli("plan", "-f", str(doors.manifest(spec)))
        assert status == 1
        assert said in told
        answer = await doors.live.call("POST", f"{FLEET}/plan", json={"spec": spec})
        assert answer.status_code == 422
        assert said in answer.text


async def test_a_name_that_is_taken_is_planned_by_its_name(doors: Doors) -> None:
    rollout = await doors.stand.roll()
    name = rollout.metadata.name
    file = doors.manifest({"bundleName": rollout.spec.bundle_name})
    file.write_text(file.read_text().replace("r1", name))
    status, said = await doors.cli("plan", "-f", str(file))
    assert status == 1
    assert f"`hydracore rollouts plan {name}` shows its plan" in said
    status, said = await doors.cli("plan", name)
    assert status == 0
    assert f"{rollout.spec.bundle_name} to 5 instances (plan " in said
    status, said = await doors.cli("plan", "absent")
    assert status == 1
    assert "there is no Rollout absent" in said
