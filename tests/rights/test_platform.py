"""Who may freeze the platform: those who run it, and no tenant."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest

from tests.conftest import Kubectl
from tests.rights.conftest import Person, obj

pytestmark = pytest.mark.cluster

KIND = "platformpolicies.hydracore.io"
FREEZE = obj("PlatformPolicy", "default", {"freeze": {"reason": "an incident"}})
TRIED = ("create", "--dry-run=server", "-f", "-")


@pytest.fixture
def thawed(kubectl: Kubectl) -> Iterator[None]:
    yield
    kubectl("delete", KIND, "default", "--ignore-not-found", check=True)


def test_a_tenants_roles_do_not_reach_it(bind: Callable[..., Person]) -> None:
    for role in ("hydracore-editor", "hydracore-admin"):
        person = bind(f"in-{role}", role, to=("create", "rollouts.hydracore.io"))
        assert "cannot create resource" in person.is_refused(*TRIED, given=FREEZE)
        assert "cannot get resource" in person.is_refused("get", KIND, "default")


def test_who_edits_everywhere_may_read_it_and_no_more(bind: Callable[..., Person]) -> None:
    everywhere = bind("ed", "hydracore-editor", to=("get", KIND), wide=True)
    assert "cannot create resource" in everywhere.is_refused(*TRIED, given=FREEZE)
    assert not everywhere.may("patch", KIND)


@pytest.mark.usefixtures("thawed")
def test_those_who_run_the_platform_freeze_it(
    bind: Callable[..., Person], operator: Person
) -> None:
    boss = bind("boss", "hydracore-admin", to=("create", KIND), wide=True)
    boss.does("create", "-f", "-", given=FREEZE)
    body = json.dumps({"spec": {"freeze": None}})
    replaced = obj("PlatformPolicy", "default", {})
    assert "forbidden" in operator.is_refused("replace", "-f", "-", given=replaced)
    boss.does("patch", KIND, "default", "--type=merge", "-p", body)
    status = json.dumps({"status": {"inFlight": 0}})
    told = ("patch", KIND, "default", "--type=merge", "--subresource=status", "-p", status)
    assert 'resource "platformpolicies/status"' in boss.is_refused(*told)
    boss.does("delete", KIND, "default")
