"""Opens what commands work on: cluster, database, store; :mod:`hydracore_cli.lookup` says where."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from pydantic import ValidationError

from hydracore_artifacts.settings import StoreSettings
from hydracore_artifacts.store import ArtifactStore
from hydracore_cli.bundles.publish import FIELD_MANAGER
from hydracore_cli.errors import CliError, settings_fault
from hydracore_cli.lookup import kubeconfig_of, setting
from hydracore_cli.stack.database import database_url
from hydracore_cli.stack.layout import StackLayout
from hydracore_cli.stack.service_env import STORE_SETTINGS
from hydracore_history import History
from hydracore_kube.client import KubeClient


@asynccontextmanager
async def open_history(
    layout: StackLayout, environ: Mapping[str, str] = os.environ
) -> AsyncIterator[History]:
    """Open the history database for the body."""
    fallback = database_url(layout) if layout.root.is_dir() else None
    history = History(setting("HYDRACORE_DATABASE_URL", fallback, layout, environ))
    try:
        yield history
    finally:
        await history.close()


@asynccontextmanager
async def open_cluster(
    layout: StackLayout, environ: Mapping[str, str] = os.environ
) -> AsyncIterator[KubeClient]:
    """Open a client with a person's credentials (:func:`kubeconfig_of`)."""
    client = await KubeClient.connect(kubeconfig_of(layout, environ), field_manager=FIELD_MANAGER)
    try:
        yield client
    finally:
        await client.close()


def open_store(layout: StackLayout, environ: Mapping[str, str] = os.environ) -> ArtifactStore:
    """Open the artifact store.

    Raises:
        CliError: its URL is unknown or wrong.
        StoreUnavailable: it does not answer.
    """
    fallback = layout.artifacts_url if layout.root.is_dir() else None
    return store_at(setting("HYDRACORE_ARTIFACTS_URL", fallback, layout, environ), environ)


def store_at(url: str, environ: Mapping[str, str] = os.environ) -> ArtifactStore:
    """Open the artifact store of a URL; how to get in comes from the environment.

    Raises:
        CliError: a setting is wrong.
        StoreUnavailable: it does not answer.
    """
    named: dict[str, Any] = {
        name.lower(): environ[f"HYDRACORE_{name}"]
        for name in STORE_SETTINGS
        if f"HYDRACORE_{name}" in environ
    }
    try:
        return ArtifactStore.of(StoreSettings(**{**named, "artifacts_url": url}))
    except ValidationError as error:
        raise CliError(settings_fault(error)) from None
    except ValueError as error:
        raise CliError(str(error)) from None
