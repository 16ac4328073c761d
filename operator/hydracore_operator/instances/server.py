"""Phase: the server exists at its provider, once, and is switched on."""

from __future__ import annotations

import hashlib
from datetime import timedelta

import structlog

from hydracore_crds import conditions
from hydracore_history import HistoryUnavailable
from hydracore_operator.instances.identity import confirm
from hydracore_operator.instances.scope import Problem, Scope, problem_of
from hydracore_operator.instances.user_data import first_token, user_data
from hydracore_operator.providers import (
    Provider,
    Server,
    ServerRequest,
    find_labels,
    server_labels,
    server_name,
)
from hydracore_operator.providers.errors import ProviderError, ServerNotFoundError

log = structlog.get_logger(__name__)

HISTORY_RETRY = timedelta(seconds=5)
_LOST_RETRY = timedelta(minutes=1)


async def server(scope: Scope) -> bool:
    """Order the server in steps that can each be repeated; afterwards keep it switched on.

    The intent (name and provider) is stored in one reconcile and the order goes out in a later
    one, after a fresh read has shown it. Returns whether there is a server to go on with.
    """
    try:
        return await _step(scope)
    except ProviderError as error:
        scope.server_problem = problem_of(error)
    except HistoryUnavailable as error:
        scope.server_problem = history_problem(error)
    scope.server = None
    scope.come_again(scope.server_problem.retry_after)
    log.warning(
        "server_step_failed",
        instance=scope.instance.key,
        reason=scope.server_problem.reason,
        message=scope.server_problem.message,
    )
    return False


def history_problem(error: Exception) -> Problem:
    """Say that SQL is away."""
    return Problem(
        conditions.HISTORY_UNAVAILABLE,
        f"the database is locked or away ({error}). It is tried again; see to the database if "
        "this stays",
        HISTORY_RETRY,
    )


async def _step(scope: Scope) -> bool:
    stored = scope.instance.status.provider
    if stored is not None and stored.server_id is not None:
        await _look(scope, scope.providers.get(stored.name), stored.server_id)
        return scope.server_problem is None
    if scope.admission_problem is not None or scope.class_ is None:
        return False
    if stored is None or scope.instance.status.hostname is None:
        scope.ordering = True
        scope.come_again(timedelta(0))
        return False
    await confirm(scope)
    scope.server = await _order(scope, scope.providers.get(stored.name))
    # Its id is stored before anything else is done with it.
    scope.come_again(timedelta(0))
    return False


async def _order(scope: Scope, provider: Provider) -> Server:
    """Find the server by its labels, or create it.

    A create that failed may have happened: the next reconcile looks before it tries again.
    """
    token_hash = hashlib.sha256(first_token(scope.ctx, scope.instance_id).encode()).hexdigest()
    await scope.ctx.history.credentials.arm(
        scope.instance_id, namespace=scope.namespace, name=scope.name, token_hash=token_hash
    )
    found = await provider.find(find_labels(scope.ctx.settings.cluster_name, scope.instance_id))
    if found is not None:
        log.info("server_found", instance=scope.instance.key, server=found.id)
        return found
    scope.ctx.epoch()
    made = await provider.create(_request(scope))
    log.info("server_created", instance=scope.instance.key, server=made.id)
    return made


def _request(scope: Scope) -> ServerRequest:
    assert scope.class_ is not None  # noqa: S101 - admission has looked both up
    assert scope.bundle is not None  # noqa: S101
    return ServerRequest(
        name=server_name(scope.name, scope.instance_id),
        labels=server_labels(
            scope.ctx.settings.cluster_name, scope.namespace, scope.name, scope.instance_id
        ),
        server_type=scope.class_.spec.server_type,
        location=scope.class_.spec.regions[scope.instance.spec.region_id],
        user_data=user_data(scope.ctx, scope.instance, scope.bundle),
    )


async def _look(scope: Scope, provider: Provider, server_id: str) -> None:
    try:
        found = await _still_there(scope, provider, server_id)
    except ProviderError as error:
        # No answer says nothing about the server: what was known of it still holds.
        log.warning("server_not_seen", instance=scope.instance.key, error=error.explain())
        scope.come_again(error.retry_after)
        return
    if found is None:
        scope.server_problem = Problem(
            conditions.SERVER_LOST,
            f"the provider {provider.name} has no server {server_id} of this Instance any more. "
            "Its data are gone: delete this Instance and create a new one",
            _LOST_RETRY,
        )
        scope.come_again(_LOST_RETRY)
        return
    if found.state == "off":
        scope.ctx.epoch()
        log.info("server_power_on", instance=scope.instance.key, server=found.id)
        found = await provider.power_on(found.id)
    scope.server = found


async def _still_there(scope: Scope, provider: Provider, server_id: str) -> Server | None:
    """Return our server by its id, else by its labels; None where the provider has none."""
    labels = find_labels(scope.ctx.settings.cluster_name, scope.instance_id)
    try:
        found: Server | None = await provider.get(server_id)
    except ServerNotFoundError:
        found = await provider.find(labels)
    ours = found is not None and labels.items() <= found.labels.items()
    return found if ours else None
