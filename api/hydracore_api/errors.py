"""Domain errors with their status codes, and the one place that turns errors into answers.

Every answer that is not a success is ``{"detail": …}``: a sentence, or for 422 FastAPI's list of
``{loc, msg, type}``. Nothing of the inside (hosts, queries, tracebacks) is in it; that is logged.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, ClassVar

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from hydracore_agentclient import AgentError
from hydracore_agentclient import Timeout as AgentTimeout
from hydracore_history import HistoryError
from hydracore_kube import Conflict as KubeConflict
from hydracore_kube import Forbidden as KubeForbidden
from hydracore_kube import Invalid, KubeError
from hydracore_kube import NotFound as KubeNotFound

log = structlog.get_logger(__name__)


class ErrorBody(BaseModel):
    """Body of every error but 422."""

    detail: str = Field(description="What went wrong and what to do about it.")


class DomainError(Exception):
    """Base of all errors that are answers. Subclasses fix the status code."""

    status: ClassVar[int]
    title: ClassVar[str]
    headers: ClassVar[Mapping[str, str]] = {}

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail: str | list[dict[str, Any]] = detail


class Unauthenticated(DomainError):  # noqa: N818
    """No credentials, or wrong ones."""

    status = 401
    title = "Credentials are missing or wrong."
    headers: ClassVar[Mapping[str, str]] = {"WWW-Authenticate": "Bearer"}


class Forbidden(DomainError):  # noqa: N818
    """The caller may not do this."""

    status = 403
    title = "The key lacks the scope or the role."


class NotFound(DomainError):  # noqa: N818
    """There is no such thing for this caller; another tenant's looks the same."""

    status = 404
    title = "Unknown, or another tenant's."


class Timeout(DomainError):  # noqa: N818
    """The request came in too slowly."""

    status = 408
    title = "The request took too long to arrive."


class Conflict(DomainError):  # noqa: N818
    """The state does not allow it now."""

    status = 409
    title = "The present state does not allow this."


class PreconditionFailed(DomainError):  # noqa: N818
    """It is not as the caller has seen it."""

    status = 412
    title = "It has changed since it was read."


class TooLarge(DomainError):  # noqa: N818
    """The request is larger than allowed."""

    status = 413
    title = "The body is too large."


class RangeNotSatisfiable(DomainError):  # noqa: N818
    """The range lies outside of the artifact."""

    status = 416
    title = "The range lies outside of the artifact."


class Unprocessable(DomainError):  # noqa: N818
    """A field cannot be used; shaped like FastAPI's own validation errors."""

    status = 422
    title = "Validation error."

    def __init__(self, loc: Sequence[str | int], msg: str, type_: str = "value_error") -> None:
        super().__init__(msg)
        self.detail = [{"loc": list(loc), "msg": msg, "type": type_}]


class PreconditionRequired(DomainError):  # noqa: N818
    """The caller does not say what it has seen."""

    status = 428
    title = "If-Match is missing."


class BadGateway(DomainError):  # noqa: N818
    """The agent cannot be reached, or answered with something that is not the protocol."""

    status = 502
    title = "The agent is unreachable or its answer is invalid."


class ServiceUnavailable(DomainError):  # noqa: N818
    """The API cannot answer now; trying again later may succeed."""

    status = 503
    title = "The database or the cluster cannot be used now: try again."
    headers: ClassVar[Mapping[str, str]] = {"Retry-After": "2"}


class GatewayTimeout(DomainError):  # noqa: N818
    """The agent did not answer in time."""

    status = 504
    title = "The agent did not answer in time."


def responses(*errors: type[DomainError]) -> dict[int | str, dict[str, Any]]:
    """Describe errors for a route's ``responses``."""
    return {e.status: {"model": ErrorBody, "description": e.title} for e in errors}


def answer(
    status: int, detail: str | list[dict[str, Any]], headers: Mapping[str, str] | None = None
) -> Response:
    """Build an error's response. ASCII only, so that no text can break the encoding."""
    body = json.dumps({"detail": detail}, ensure_ascii=True, separators=(",", ":"))
    return Response(
        body, status_code=status, headers=dict(headers or {}), media_type="application/json"
    )


def from_agent(error: AgentError) -> DomainError:
    """Turn an agent's failure into an answer; what the agent said is not passed on."""
    log.info("agent_failed", error=type(error).__name__, message=error.message)
    if isinstance(error, AgentTimeout):
        return GatewayTimeout("The agent did not answer in time: try again later")
    return BadGateway("The agent cannot be reached or gave an invalid answer: try again later")


def from_kube(error: KubeError) -> DomainError:
    """Turn a refusal of the API server into an answer."""
    if isinstance(error, Invalid):
        causes = error.causes or ((("", "The object is invalid")),)
        found = Unprocessable(["body"], "")
        found.detail = [
            {"loc": ["body", *_field(field)], "msg": message[:512], "type": "invalid"}
            for field, message in causes
        ]
        return found
    if isinstance(error, KubeForbidden) and error.terminating:
        return Conflict("The tenant is being deleted: nothing can be changed any more")
    if isinstance(error, KubeNotFound):
        return NotFound("It does not exist any more")
    if isinstance(error, KubeConflict):
        return Conflict("The object is being changed by others: try again")
    log.error("cluster_refused", error=type(error).__name__, message=error.message)
    return ServiceUnavailable("The cluster cannot be used now: try again")


def install(app: FastAPI) -> None:
    """Register the handlers."""
    app.add_exception_handler(DomainError, _domain)
    app.add_exception_handler(HistoryError, _history)
    app.add_exception_handler(KubeError, _kube)
    app.add_exception_handler(AgentError, _agent)
    app.add_exception_handler(RequestValidationError, _validation)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _unexpected)


def _field(field: str) -> list[str]:
    return [part for part in field.split(".") if part] if field != "<nil>" else []


async def _domain(request: Request, error: Exception) -> Response:
    del request
    assert isinstance(error, DomainError)  # noqa: S101
    return answer(error.status, error.detail, error.headers)


async def _history(request: Request, error: Exception) -> Response:
    log.warning("history_unavailable", path=request.url.path, message=str(error))
    shown = ServiceUnavailable("The database cannot be used now: try again")
    return answer(shown.status, shown.detail, shown.headers)


async def _kube(request: Request, error: Exception) -> Response:
    assert isinstance(error, KubeError)  # noqa: S101
    return await _domain(request, from_kube(error))


async def _agent(request: Request, error: Exception) -> Response:
    assert isinstance(error, AgentError)  # noqa: S101
    return await _domain(request, from_agent(error))


async def _validation(request: Request, error: Exception) -> Response:
    del request
    assert isinstance(error, RequestValidationError)  # noqa: S101
    # The input is not repeated: it may be a secret, or not even valid Unicode.
    shown = [
        {"loc": list(one["loc"]), "msg": str(one["msg"]), "type": str(one["type"])}
        for one in error.errors()
    ]
    return answer(422, shown)


async def _http(request: Request, error: Exception) -> Response:
    del request
    assert isinstance(error, HTTPException)  # noqa: S101
    if error.status_code == HTTPStatus.BAD_REQUEST:
        # FastAPI's word for what it cannot decode: no UTF-8, nested too deeply.
        shown = Unprocessable(["body"], "The body cannot be read as JSON in UTF-8", "json_invalid")
        return answer(shown.status, shown.detail, error.headers)
    detail = str(error.detail or HTTPStatus(error.status_code).phrase)
    return answer(error.status_code, detail, error.headers)


async def _unexpected(request: Request, error: Exception) -> Response:
    log.error("request_failed", method=request.method, path=request.url.path, exc_info=error)
    return answer(500, "Internal Server Error")
