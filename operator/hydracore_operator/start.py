"""Opening everything that an operator needs, with errors that say what to do."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import structlog

from hydracore_agentclient import AgentClient, ControlPlaneKey
from hydracore_agentclient.errors import KeyFileError as ControlPlaneKeyError
from hydracore_artifacts.errors import ArtifactError
from hydracore_artifacts.errors import KeyFileError as TrustedKeysError
from hydracore_artifacts.signing import TrustedKeys
from hydracore_artifacts.store import ArtifactStore
from hydracore_history import History, HistoryError, HistoryUnavailable
from hydracore_kube import KubeClient, KubeconfigError
from hydracore_operator.clock import Clock
from hydracore_operator.context import FIELD_MANAGER, Context, NotLeader, Stores
from hydracore_operator.controller.queues import Queues
from hydracore_operator.leadership.epochs import EpochRecord
from hydracore_operator.leadership.leader import Elector
from hydracore_operator.llm import LlmFileError, load_llm
from hydracore_operator.settings import OperatorSettings

log = structlog.get_logger(__name__)


class StartError(Exception):
    """The operator cannot start; the message says what is amiss and what to do."""


@dataclass(frozen=True)
class Opened:
    """What :func:`open_all` opened."""

    ctx: Context
    elector: Elector
    epochs: EpochRecord
    queues: Queues


@asynccontextmanager
async def open_all(settings: OperatorSettings, clock: Clock) -> AsyncIterator[Opened]:
    """Load keys, check the history, prepare the clients; close all of it afterwards.

    Raises:
        StartError: Something is missing or broken.
    """
    key, trusted, artifacts = _load(settings)
    try:
        history = History(settings.database_url)
    except Exception as fault:
        raise StartError(f"HYDRACORE_DATABASE_URL is no database URL: {fault}") from fault
    agents = AgentClient(key, subject="operator", now=clock.now)
    try:
        try:
            await _check(history)
            kube = await KubeClient.connect(
                str(settings.kubeconfig) if settings.kubeconfig else None,
                field_manager=FIELD_MANAGER,
            )
        except (HistoryError, KubeconfigError) as fault:
            raise StartError(str(fault)) from fault
        try:
            yield _assemble(settings, clock, kube, history, artifacts, agents, key, trusted)
        finally:
            await kube.close()
    finally:
        await agents.close()
        await history.close()


async def _check(history: History) -> None:
    """See that the database is ours. A server that is away does not keep us from starting.

    What runs must go on: a restart of the operator while the database is away must not stop it.
    A file that cannot be opened is a mistake in the settings.
    """
    try:
        await history.check()
    except HistoryUnavailable as away:
        if history.embedded:
            raise
        log.warning("history_away_at_start", fault=str(away))


def _load(settings: OperatorSettings) -> tuple[ControlPlaneKey, TrustedKeys, ArtifactStore]:
    try:
        return (
            ControlPlaneKey.from_pem(settings.control_plane_key_file),
            TrustedKeys.load(settings.trusted_bundle_keys_file),
            ArtifactStore.of(settings),
        )
    except (ControlPlaneKeyError, TrustedKeysError) as fault:
        raise StartError(str(fault)) from fault
    except (ArtifactError, ValueError) as fault:
        raise StartError(f"HYDRACORE_ARTIFACTS_URL: {fault}") from fault


def _llm(settings: OperatorSettings) -> Sequence[Mapping[str, Any]]:
    try:
        return load_llm(settings.agent_llm_file)
    except LlmFileError as fault:
        raise StartError(f"HYDRACORE_AGENT_LLM_FILE: {fault}") from fault


def _assemble(
    settings: OperatorSettings,
    clock: Clock,
    kube: KubeClient,
    history: History,
    artifacts: ArtifactStore,
    agents: AgentClient,
    key: ControlPlaneKey,
    trusted: TrustedKeys,
) -> Opened:
    epochs = EpochRecord(kube, settings.operator_namespace)
    elector = Elector(
        kube,
        namespace=settings.operator_namespace,
        identity=settings.identity,
        lease_seconds=settings.lease_seconds,
        clock=clock,
        floor=epochs.floor,
    )
    queues = Queues.create(clock)

    def epoch() -> int:
        if not elector.is_leader():
            raise NotLeader("this process does not hold the Lease any more")
        return elector.epoch

    ctx = Context(
        settings=settings,
        kube=kube,
        history=history,
        artifacts=artifacts,
        agents=agents,
        key=key,
        trusted=trusted,
        stores=Stores(),
        now=clock.now,
        epoch=epoch,
        llm=_llm(settings),
        wake_tenant=queues.tenants.add,
        wake_instance=queues.instances.add,
        clock=clock,
    )
    return Opened(ctx, elector, epochs, queues)
