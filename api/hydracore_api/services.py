"""What all endpoints share, built once from the settings."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Protocol

from fastapi import Depends, Request

from hydracore_agentclient import AgentClient, ControlPlaneKey
from hydracore_api.auth.authenticator import KeyAuthenticator
from hydracore_api.auth.keys import load_server_secret
from hydracore_api.errors import ServiceUnavailable
from hydracore_api.settings import Settings
from hydracore_api.watch import WatchCache
from hydracore_artifacts.signing import TrustedKeys
from hydracore_artifacts.store import ArtifactStore
from hydracore_history import History
from hydracore_kube import KubeClient

FIELD_MANAGER = "hydracore-api"


class Clock(Protocol):
    """Tells the time, aware UTC."""

    def __call__(self) -> datetime: ...  # noqa: D102


def utc_now() -> datetime:
    """Return the time of this machine."""
    return datetime.now(UTC)


@dataclass
class Services:
    """The API's connections and caches.

    Attributes:
        streams: ``(instance id, conversation id)`` of the chats that are under way here.
    """

    settings: Settings
    kube: KubeClient
    cache: WatchCache
    history: History
    agents: AgentClient
    artifacts: ArtifactStore
    control_plane_key: ControlPlaneKey
    trusted_keys: TrustedKeys
    authenticator: KeyAuthenticator
    now: Clock
    streams: set[tuple[str, str]] = field(default_factory=set)

    @classmethod
    async def open(cls, settings: Settings, *, now: Clock = utc_now) -> Services:
        """Read keys and configuration; nothing is asked of others yet.

        Raises:
            KubeconfigError, KeyFileError, ValueError: A file or setting cannot be used.
        """
        secret = load_server_secret(settings.server_secret_file)
        control_plane_key = ControlPlaneKey.from_pem(settings.control_plane_key_file)
        trusted_keys = TrustedKeys.load(settings.trusted_bundle_keys_file)
        artifacts = ArtifactStore.of(settings)
        if settings.artifacts_signed_urls and not artifacts.signs_urls:
            raise ValueError(
                "HYDRACORE_ARTIFACTS_SIGNED_URLS needs an s3:// store behind https (http only on "
                "this machine): set HYDRACORE_ARTIFACTS_URL and HYDRACORE_ARTIFACTS_S3_ENDPOINT "
                "so, or leave it out and let the API serve the bundles"
            )
        history = History(settings.database_url)
        kube = await KubeClient.connect(settings.kubeconfig, field_manager=FIELD_MANAGER)
        return cls(
            settings=settings,
            kube=kube,
            cache=WatchCache(),
            history=history,
            agents=AgentClient(control_plane_key, subject="api", now=now),
            artifacts=artifacts,
            control_plane_key=control_plane_key,
            trusted_keys=trusted_keys,
            authenticator=KeyAuthenticator(history.keys, secret, now=now),
            now=now,
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Feed the watch cache meanwhile; close everything at the end."""
        watching = asyncio.create_task(self.cache.run(self.kube), name="watch-cache")
        try:
            yield
        finally:
            watching.cancel()
            with suppress(asyncio.CancelledError):
                await watching
            await self.close()

    async def close(self) -> None:
        """Close all connections."""
        await self.authenticator.close()
        await self.agents.close()
        await self.kube.close()
        await self.history.close()


def get_services(request: Request) -> Services:
    """Return the services of the app that handles this request."""
    found = request.app.state.services
    assert isinstance(found, Services)  # noqa: S101
    return found


def get_ready_services(services: Annotated[Services, Depends(get_services)]) -> Services:
    """Return the services once the watch cache is filled.

    Raises:
        ServiceUnavailable: It is not yet.
    """
    if not services.cache.ready:
        raise ServiceUnavailable("The API has just started and is still reading the cluster")
    return services


AnyServices = Annotated[Services, Depends(get_services)]
ReadyServices = Annotated[Services, Depends(get_ready_services)]
