"""Compares what was granted with what was called: pure, so that its own tests can be small."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tests.rights.calls import Call
from tests.rights.grants import STANDARD_VERBS, Grant


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is wrong, and on how much evidence nothing else is."""

    findings: tuple[str, ...]
    calls: int
    used: int
    """How many of the granted rights were used."""

    granted: int
    early: int = 0
    """Calls refused although they are granted: a starting API server had not read the roles."""


def judge(grants: Sequence[Grant], calls: Mapping[Call, int], *, whole: bool) -> Verdict:
    """Judge rights by calls.

    Args:
        grants: What the accounts may do.
        calls: What they did, and how often.
        whole: Whether these are the calls of a whole test run; only then an unused right says
            something.
    """
    used = {grant for grant in grants if any(_uses(grant, call) for call in calls)}
    covered = {
        call: _discovers(call) or any(grant.covers(call) for grant in grants) for call in calls
    }
    findings = [
        *(f"{g}: granted by two rules" for g, n in sorted(Counter(grants).items()) if n > 1),
        *(f"{g}: a wildcard" for g in sorted({*grants}) if "*" in (g.verb, g.group, g.resource)),
        *(text for call in sorted(calls) for text in _about(call, calls[call], covered[call])),
    ]
    if whole:
        findings += [f"{g}: never used" for g in sorted({*grants} - used)]
    early = sum(n for call, n in calls.items() if call.outcome == "refused" and covered[call])
    return Verdict(tuple(findings), sum(calls.values()), len(used), len({*grants}), early)


def _discovers(call: Call) -> bool:
    """Whether this is a look at what kinds there are: Kubernetes grants that to every account."""
    return call.verb == "get" and call.url.split("/")[1:2] in (["api"], ["apis"])


def _uses(grant: Grant, call: Call) -> bool:
    if grant.verb in STANDARD_VERBS:
        return call.outcome == "passed" and grant.covers(call)
    return grant.asked_by(call)


def _about(call: Call, times: int, covered: bool) -> list[str]:  # noqa: FBT001
    resource = f"{call.resource}.{call.group}" if call.group else call.resource
    what = f"{call.account}: {call.verb} {resource or 'a URL'} ({times} times)"
    found = []
    if call.outcome == "denied":
        found.append(f"{what}: denied by a policy: {call.said}")
    if call.outcome == "refused" and not covered:
        found.append(f"{what}: refused: {call.said}")
    if call.outcome == "passed" and call.resource and not covered:
        found.append(f"{what}: allowed by a role that is not in manifests/rbac")
    if call.writes_status:
        found.append(f"{what}: wrote a status past the status subresource")
    return found
