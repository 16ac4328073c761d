"""Who may say which namespace is which tenant."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest

from tests.conftest import Kubectl
from tests.rights.conftest import JSON, Person, until

pytestmark = pytest.mark.cluster

LABEL = "hydracore.io/tenant-id"


def named(name: str) -> JSON:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


@pytest.fixture
def fresh(namespace: str, kubectl: Kubectl) -> Iterator[str]:
    name = f"new-{namespace}"
    yield name
    kubectl("delete", "namespace", name, "--ignore-not-found", "--wait=false", check=True)


def test_only_administrators_say_whose_a_namespace_is(
    keeper: Person, namespace: str, fresh: str
) -> None:
    tenant: JSON = named(fresh)
    tenant["metadata"]["labels"] = {LABEL: "acme"}
    why = keeper.is_refused("create", "-f", "-", given=tenant)
    assert f"the label {LABEL} of namespace {fresh} says whose it is" in why
    assert "may be set, changed or removed by administrators only" in why
    assert f"{keeper.name} lacks the verb set-tenant on namespaces" in why
    assert "the ClusterRole hydracore-admin is bound for the whole cluster" in why
    keeper.does("create", "-f", "-", given=named(fresh))
    assert LABEL in keeper.is_refused("label", "namespace", fresh, f"{LABEL}=acme")
    assert LABEL in keeper.is_refused("label", "namespace", namespace, f"{LABEL}-")
    changed = ("label", "--overwrite", "namespace", namespace, f"{LABEL}=other")
    assert LABEL in keeper.is_refused(*changed)
    keeper.does("label", "namespace", namespace, "team=blue")
    keeper.does("label", "namespace", fresh, "team=blue")


def test_nor_through_the_namespaces_status(keeper: Person, namespace: str) -> None:
    body = json.dumps({"metadata": {"labels": {LABEL: "other"}}})
    patch = ("patch", "namespace", namespace, "--type=merge", "-p", body)
    why = keeper.is_refused(*patch, "--subresource=status")
    assert f"the label {LABEL} of namespace {namespace} says whose it is" in why


def test_an_admin_of_one_namespace_is_none_of_the_platform(
    keeper: Person, bind: Callable[..., Person], kubectl: Kubectl, namespace: str, fresh: str
) -> None:
    role = ("--clusterrole=hydracore-admin", f"--user={keeper.name}")
    kubectl("create", "rolebinding", "theirs", *role, "-n", namespace, check=True)
    until(lambda: keeper.may("create", "rollouts.hydracore.io"), "the role")
    changed = ("label", "--overwrite", "namespace", namespace, f"{LABEL}=other")
    assert LABEL in keeper.is_refused(*changed)

    kubectl("create", "clusterrolebinding", f"all-{namespace}", *role, check=True)
    try:
        until(lambda: keeper.may("set-tenant", "namespaces", "-A"), "the role for all")
        tenant = named(fresh)
        tenant["metadata"]["labels"] = {LABEL: "acme"}
        keeper.does("create", "-f", "-", given=tenant)
        keeper.does("label", "namespace", fresh, f"{LABEL}-")
    finally:
        kubectl("delete", "clusterrolebinding", f"all-{namespace}", "--wait=false", check=True)


def test_a_restore_brings_tenants_back(bind: Callable[..., Person], fresh: str) -> None:
    to = ("set-tenant", "namespaces")
    restore = bind("rob", "hydracore-restore", to=to, wide=True)
    tenant = named(fresh)
    tenant["metadata"]["labels"] = {LABEL: "acme"}
    restore.does("create", "-f", "-", given=tenant)
