"""What the manifests grant to HydraCore's accounts, taken apart to single rights."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from tests.rights.calls import SYSTEM, Call

JSON = dict[str, Any]
STANDARD_VERBS = frozenset(
    {"get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"}
)


@dataclass(frozen=True, order=True, slots=True)
class Grant:
    """One verb on one resource for one account."""

    account: str
    verb: str
    group: str
    resource: str
    home_only: bool
    """Granted in HydraCore's own namespace only."""

    def __str__(self) -> str:
        where = f" in {SYSTEM}" if self.home_only else ""
        resource = f"{self.resource}.{self.group}" if self.group else self.resource
        return f"{self.account}: {self.verb} {resource}{where}"

    def covers(self, call: Call) -> bool:
        """Return whether this right allows the call."""
        same = (self.account, self.verb, self.group, self.resource)
        asked = (call.account, call.verb, call.group, call.resource)
        return same == asked and (call.home or not self.home_only)

    def asked_by(self, call: Call) -> bool:
        """Return whether a policy asked for this right, a verb of our own, and it was there."""
        return (
            (self.account, self.group, self.resource) == (call.account, call.group, call.resource)
            and self.verb in call.rights
            and call.outcome == "passed"
        )


def granted(documents: Iterable[JSON]) -> list[Grant]:
    """Return what role bindings give to service accounts of HydraCore's namespace.

    A right that two rules grant stands there twice.
    """
    objects = list(documents)
    roles = {(d["kind"], d["metadata"]["name"]): d["rules"] for d in objects if "rules" in d}
    found = []
    for binding in (d for d in objects if d["kind"] in {"RoleBinding", "ClusterRoleBinding"}):
        rules = roles[binding["roleRef"]["kind"], binding["roleRef"]["name"]]
        for subject in binding["subjects"]:
            home = binding["kind"] == "RoleBinding"
            found += [grant for rule in rules for grant in _of_rule(subject["name"], rule, home)]
    return found


def _of_rule(account: str, rule: JSON, home: bool) -> list[Grant]:  # noqa: FBT001
    return [
        Grant(account, verb, group, resource, home)
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    ]
