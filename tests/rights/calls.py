"""Calls of HydraCore's accounts, read from API servers' audit logs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson

SYSTEM = "hydracore-system"
PRODUCT = "hydracore-"
"""How the user agents of operator and API begin. Tests that use the accounts otherwise, to see
what is refused, come under other names and do not count."""

_ACCOUNT = f"system:serviceaccount:{SYSTEM}:"
_FORBIDDEN = 403
_POLICY = "ValidatingAdmissionPolicy"
_TERMINATING = "is being terminated"


@dataclass(frozen=True, order=True, slots=True)
class Call:
    """One kind of call, as an audit log tells it; equal ones are counted together."""

    account: str
    verb: str
    group: str
    resource: str
    """Plural, with ``/subresource`` where there is one; empty for a URL that is no resource."""

    home: bool
    """Whether it was in HydraCore's own namespace."""

    outcome: str
    """``passed``, ``refused`` (by RBAC) or ``denied`` (by a policy)."""

    rights: tuple[str, ...] = ()
    """Verbs of our own that policies asked for."""

    writes_status: bool = False
    """A change of the main resource whose body holds a status."""

    said: str = ""
    """What the API server said when it refused."""

    url: str = ""
    """The path, where it is no resource's."""


def read(files: Iterable[Path]) -> Counter[Call]:
    """Return the calls in some audit logs.

    A line that a killed API server left half-written is skipped, and what follows it in the same
    line with it.
    """
    return Counter(call for event in _events(files) if (call := from_event(event)) is not None)


def from_event(event: dict[str, Any]) -> Call | None:
    """Return the call of an audit event; None where it is none of operator or API."""
    account = str(event["user"].get("username") or "")
    if not account.startswith(_ACCOUNT) or not _product(event):
        return None
    place = event.get("objectRef") or {}
    sub = place.get("subresource")
    resource = str(place.get("resource") or "")
    outcome, said = _outcome(event)
    body = event.get("requestObject")
    notes = event.get("annotations") or {}
    return Call(
        account=account.removeprefix(_ACCOUNT),
        verb=str(event["verb"]),
        group=str(place.get("apiGroup") or ""),
        resource=f"{resource}/{sub}" if sub else resource,
        home=place.get("namespace") == SYSTEM,
        outcome=outcome,
        rights=tuple(sorted({str(v) for k, v in notes.items() if k.endswith("/right")})),
        writes_status=not sub and isinstance(body, dict) and "status" in body,
        said=said,
        url="" if resource else urlsplit(str(event.get("requestURI") or "")).path,
    )


def _events(files: Iterable[Path]) -> Iterator[dict[str, Any]]:
    for file in files:
        with file.open("rb") as lines:
            for line in lines:
                try:
                    yield orjson.loads(line)
                except orjson.JSONDecodeError:
                    continue


def _product(event: dict[str, Any]) -> bool:
    return str(event.get("userAgent") or "").startswith(PRODUCT)


def _outcome(event: dict[str, Any]) -> tuple[str, str]:
    notes, answer = event.get("annotations") or {}, event.get("responseStatus") or {}
    said = str(answer.get("message") or "")
    if notes.get("authorization.k8s.io/decision") == "forbid":
        return "refused", said
    if answer.get("code") != _FORBIDDEN or _TERMINATING in said:
        return "passed", ""
    return ("denied" if _POLICY in said else "refused"), said
