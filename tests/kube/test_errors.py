"""Answers that are not successes become typed errors in one place."""

from __future__ import annotations

from typing import Any

import pytest

from hydracore_kube import (
    AlreadyExists,
    Conflict,
    Forbidden,
    Gone,
    Invalid,
    KubeError,
    NotFound,
    Unavailable,
)
from hydracore_kube.errors import error_from_status


@pytest.mark.parametrize(
    ("status", "reason", "kind"),
    [
        (404, "NotFound", NotFound),
        (409, "Conflict", Conflict),
        (409, "AlreadyExists", AlreadyExists),
        (403, "Forbidden", Forbidden),
        (401, "Unauthorized", Forbidden),
        (410, "Expired", Gone),
        (410, "Gone", Gone),
        (422, "Invalid", Invalid),
        (400, "BadRequest", Invalid),
        (429, "TooManyRequests", Unavailable),
        (500, "InternalError", Unavailable),
        (503, "ServiceUnavailable", Unavailable),
        (504, "Timeout", Unavailable),
        (415, "UnsupportedMediaType", KubeError),
    ],
)
def test_status_and_reason_decide(status: int, reason: str, kind: type[KubeError]) -> None:
    error = error_from_status(status, {"reason": reason, "message": "why"}, what="GET /x")
    assert type(error) is kind
    assert (error.status, error.reason, error.message) == (status, reason, "GET /x: why")


@pytest.mark.parametrize("body", [None, [], "<html>", {"details": "x", "message": 7}])
def test_a_proxys_answer_is_judged_by_its_status_alone(body: Any) -> None:
    assert type(error_from_status(503, body, what="GET /x")) is Unavailable


def test_invalid_carries_fields_and_messages() -> None:
    body = {
        "reason": "Invalid",
        "message": "no",
        "details": {"causes": [{"field": "spec.a", "message": "must be b", "reason": "x"}]},
    }
    error = error_from_status(422, body, what="POST /x")
    assert isinstance(error, Invalid)
    assert error.causes == (("spec.a", "must be b"),)


def test_a_terminating_namespace_is_told_apart() -> None:
    body = {
        "reason": "Forbidden",
        "details": {"causes": [{"reason": "NamespaceTerminating", "message": "x"}]},
    }
    error = error_from_status(403, body, what="POST /x")
    assert isinstance(error, Forbidden)
    assert error.terminating


def test_messages_are_bounded() -> None:
    error = error_from_status(500, {"message": "x" * 100_000}, what="GET /x")
    assert len(error.message) < 2000
