"""People with the roles of manifests/rbac, as kubectl users of the real API server."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import yaml

from tests.conftest import Kubectl

JSON = dict[str, Any]
Done = subprocess.CompletedProcess[str]
KNOWN_SECONDS = 30.0
"""How long the API server may take to know a new role or policy; usual is less than a second."""


@dataclass(frozen=True)
class Person:
    """Somebody who uses kubectl in one namespace."""

    name: str
    namespace: str
    kubectl: Kubectl
    options: tuple[str, ...] = ()
    kubeconfig: str | None = None

    def __call__(self, *args: str, given: JSON | None = None) -> Done:
        said = yaml.safe_dump(given) if given is not None else None
        told = (*args, "-n", self.namespace, *self.options)
        return self.kubectl(*told, input=said, kubeconfig=self.kubeconfig)

    def does(self, *args: str, given: JSON | None = None) -> str:
        """Do something that has to work; return what kubectl said."""
        done = self(*args, given=given)
        assert done.returncode == 0, f"{self.name}: {' '.join(args)}: {done.stderr}"
        return done.stdout

    def is_refused(self, *args: str, given: JSON | None = None) -> str:
        """Do something that has to be refused; return why."""
        done = self(*args, given=given)
        assert done.returncode != 0, f"{self.name} may: {' '.join(args)} {given}"
        return " ".join(done.stderr.split())

    def may(self, *what: str) -> bool:
        return self("auth", "can-i", *what).stdout.strip() == "yes"


def until(look: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + KNOWN_SECONDS
    while not look():
        if time.monotonic() > deadline:
            pytest.fail(f"waited {KNOWN_SECONDS:.0f} s for {what}")
        time.sleep(0.1)


@pytest.fixture
def bind(kubectl: Kubectl, namespace: str, enforced: None) -> Iterator[Callable[..., Person]]:
    """``bind("eve", "hydracore-editor", to=(verb, resource), wide=False)`` makes a person."""
    wide_ones: list[str] = []

    def make(name: str, *roles: str, to: tuple[str, str], wide: bool = False) -> Person:
        user = f"{name}-{namespace}"
        for role in roles:
            binding, kind = f"{user}-{role}", "clusterrolebinding" if wide else "rolebinding"
            told = ["create", kind, binding, f"--clusterrole={role}", f"--user={user}"]
            kubectl(*told, *([] if wide else ["-n", namespace]), check=True)
            if wide:
                wide_ones.append(binding)
        person = Person(user, namespace, kubectl, (f"--as={user}",))
        until(lambda: person.may(*to), f"the rights of {user}")
        return person

    yield make
    if wide_ones:
        kubectl("delete", "clusterrolebinding", "--wait=false", *wide_ones, check=True)


@pytest.fixture
def editor(bind: Callable[..., Person]) -> Person:
    """A tenant's user: may edit what the tenant wants, and nothing else."""
    return bind("eve", "hydracore-editor", to=("create", "rollouts.hydracore.io"))


@pytest.fixture
def keeper(bind: Callable[..., Person], kubectl: Kubectl, namespace: str) -> Iterator[Person]:
    """Somebody who makes and labels namespaces, but is no administrator of the platform."""
    role = f"keeper-{namespace}"
    verbs = "get,create,patch,update,delete"
    resources = "namespaces,namespaces/status,namespaces/finalize"
    kubectl("create", "clusterrole", role, f"--verb={verbs}", f"--resource={resources}", check=True)
    yield bind("kim", role, to=("create", "namespaces"), wide=True)
    kubectl("delete", "clusterrole", role, "--wait=false", check=True)


@pytest.fixture
def admin(kubectl: Kubectl, namespace: str) -> Person:
    """The cluster's administrator, who holds every right."""
    return Person("admin", namespace, kubectl)


@pytest.fixture
def api(kubectl: Kubectl, namespace: str, api_kubeconfig: str) -> Person:
    """The API's account."""
    return Person("api", namespace, kubectl, kubeconfig=api_kubeconfig)


@pytest.fixture
def operator(kubectl: Kubectl, namespace: str, operator_kubeconfig: str) -> Person:
    """The operator's account."""
    return Person("operator", namespace, kubectl, kubeconfig=operator_kubeconfig)


@pytest.fixture(scope="session")
def enforced(kubectl: Kubectl, operator_kubeconfig: str) -> None:
    """The API server has read the policies (it takes a moment after they were installed).

    The operator may make targets, but not for a Rollout that is not the owner.
    """
    stray = target("stray", owner="another")
    stray["metadata"]["namespace"] = "default"
    told = ("create", "--dry-run=server", "-f", "-")

    def refused() -> bool:
        done = kubectl(*told, input=yaml.safe_dump(stray), kubeconfig=operator_kubeconfig)
        return "owned by the Rollout" in " ".join(done.stderr.split())

    until(refused, "the policies")


def obj(kind: str, name: str, spec: JSON, **metadata: JSON) -> JSON:
    """Return a custom resource."""
    return {
        "apiVersion": "hydracore.io/v1alpha1",
        "kind": kind,
        "metadata": {"name": name, **metadata},
        "spec": spec,
    }


def instance(name: str = "ada", metadata: JSON | None = None, **spec: Any) -> JSON:
    return obj("Instance", name, {"className": "s", "regionId": "eu", **spec}, **(metadata or {}))


def rollout(name: str = "roll", metadata: JSON | None = None, **spec: Any) -> JSON:
    return obj("Rollout", name, {"bundleName": "b", **spec}, **(metadata or {}))


def action(name: str = "act", metadata: JSON | None = None, **spec: Any) -> JSON:
    wanted = {"instanceName": "ada", "action": "reboot", **spec}
    return obj("InstanceAction", name, wanted, **(metadata or {}))


NOBODY = "0b8e5c9a-0000-4000-8000-000000000000"


def target(
    name: str = "goal", *, owner: str | None = "roll", uid: str = NOBODY, **spec: Any
) -> JSON:
    wanted = {
        "rolloutName": "roll",
        "instanceName": "ada",
        "instanceId": "7f1c1f5e-2f0b-4c1e-9a51-0c8f1c5d2e77",
        "bundleHash": "ab" * 32,
        "order": 0,
        **spec,
    }
    if owner is None:
        return obj("RolloutTarget", name, wanted)
    reference = {"kind": "Rollout", "name": owner, "uid": uid}
    reference["apiVersion"] = "hydracore.io/v1alpha1"
    return obj("RolloutTarget", name, wanted, ownerReferences=[reference])  # type: ignore[arg-type]


@pytest.fixture
def uid(editor: Person) -> str:
    """The uid of a Rollout named roll; a target of none would be collected."""
    made = ("create", "-f", "-", "-o", "jsonpath={.metadata.uid}")
    return editor.does(*made, given=rollout())
