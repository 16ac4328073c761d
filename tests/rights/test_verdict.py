"""The judgement itself: what it takes for used, unused, refused, and past the rules."""

from __future__ import annotations

from typing import Any

import pytest

from tests.rights.calls import Call
from tests.rights.grants import Grant, granted
from tests.rights.verdict import judge

GROUP = "hydracore.io"


def grant(verb: str = "get", resource: str = "instances", **other: Any) -> Grant:
    fields = {"account": "a", "group": GROUP, "home_only": False, **other}
    return Grant(verb=verb, resource=resource, **fields)


def call(verb: str = "get", resource: str = "instances", **other: Any) -> Call:
    fields = {"account": "a", "group": GROUP, "home": False, "outcome": "passed", **other}
    return Call(verb=verb, resource=resource, **fields)


def findings(grants: list[Grant], *calls: Call, whole: bool = True) -> tuple[str, ...]:
    return judge(grants, dict.fromkeys(calls, 2), whole=whole).findings


def test_what_is_granted_and_called_is_fine() -> None:
    verdict = judge([grant(), grant("list")], {call(): 3, call("list"): 4}, whole=True)
    assert verdict.findings == ()
    assert (verdict.calls, verdict.used, verdict.granted, verdict.early) == (7, 2, 2, 0)


def test_an_unused_right_is_named_after_a_whole_run_only() -> None:
    grants = [grant(), grant("delete")]
    assert findings(grants, call()) == ("a: delete instances.hydracore.io: never used",)
    assert findings(grants, call(), whole=False) == ()


@pytest.mark.parametrize(
    "other",
    [
        call("delete", account="b"),
        call("delete", resource="instances/status"),
        call("delete", group=""),
        call("delete", outcome="refused"),
    ],
)
def test_only_the_very_call_uses_a_right(other: Call) -> None:
    assert "a: delete instances.hydracore.io: never used" in findings([grant("delete")], other)


def test_a_right_at_home_is_not_used_elsewhere() -> None:
    home = grant("get", "leases", group="coordination.k8s.io", home_only=True)
    there = call("get", "leases", group="coordination.k8s.io", home=True)
    assert findings([home], there) == ()
    away = findings([home], call("get", "leases", group="coordination.k8s.io"))
    assert away[0].endswith("allowed by a role that is not in manifests/rbac")
    assert away[1] == "a: get leases.coordination.k8s.io in hydracore-system: never used"


def test_a_verb_of_ours_is_used_when_a_policy_asked_for_it() -> None:
    grants = [grant("create"), grant("set-id")]
    assert findings(grants, call("create", rights=("set-id",))) == ()
    assert findings(grants, call("create", rights=("set-marks",))) == (
        "a: set-id instances.hydracore.io: never used",
    )


def test_a_refused_call_is_named_with_what_was_said() -> None:
    refused = call("delete", outcome="refused", said="may not")
    assert findings([grant()], call(), refused) == (
        "a: delete instances.hydracore.io (2 times): refused: may not",
    )
    denied = call("get", outcome="denied", said="by rule 7")
    assert findings([grant()], call(), denied) == (
        "a: get instances.hydracore.io (2 times): denied by a policy: by rule 7",
    )
    url = call("get", resource="", group="", outcome="refused", said="no")
    assert findings([grant()], call(), url) == ("a: get a URL (2 times): refused: no",)


def test_a_server_that_has_not_read_the_roles_yet_is_no_fault_of_theirs() -> None:
    verdict = judge([grant()], {call(): 1, call(outcome="refused"): 5}, whole=True)
    assert verdict.findings == ()
    assert verdict.early == 5
    path = "/apis/hydracore.io/v1alpha1"
    kinds = call("get", resource="", group="", outcome="refused", url=path)
    verdict = judge([grant()], {call(): 1, kinds: 3}, whole=True)
    assert (verdict.findings, verdict.early) == ((), 3)


def test_wildcards_and_doubles_are_found() -> None:
    assert "a: get *.hydracore.io: a wildcard" in findings([grant(resource="*")])
    assert "a: get instances.hydracore.io: granted by two rules" in findings(
        [grant(), grant()], call()
    )


def test_a_status_in_a_change_of_the_main_resource_is_found() -> None:
    found = findings([grant("patch")], call("patch", writes_status=True))
    assert found == (
        "a: patch instances.hydracore.io (2 times): wrote a status past the status subresource",
    )


def test_grants_are_read_from_roles_and_bindings() -> None:
    rules = [{"apiGroups": ["", "x"], "resources": ["p", "q"], "verbs": ["get"]}]
    role = {"kind": "Role", "metadata": {"name": "r"}, "rules": rules}
    ref = {"kind": "Role", "name": "r"}
    binding = {
        "kind": "RoleBinding",
        "metadata": {"name": "b"},
        "roleRef": ref,
        "subjects": [{"name": "a"}],
    }
    unbound = {**role, "metadata": {"name": "other"}}
    found = granted([role, binding, unbound])
    assert {(g.group, g.resource) for g in found} == {("", "p"), ("", "q"), ("x", "p"), ("x", "q")}
    assert all(g.home_only and g.account == "a" for g in found)
