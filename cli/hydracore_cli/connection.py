"""Opens what commands work on: cluster, database, store; :mod:`hydracore_cli.lookup` says where."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from hydracore_artifacts.store import ArtifactStore
from hydracore_cli.bundles.publish import FIELD_MANAGER
from hydracore_cli.errors import CliError
from hydracore_cli.lookup import kubeconfig_of, setting
from hydracore_cli.stack.database import database_url
from hydracore_cli.stack.layout import StackLayout
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
    try:
        return ArtifactStore(setting("HYDRACORE_ARTIFACTS_URL", fallback, layout, environ))
    except ValueError as error:
        raise CliError(str(error)) from error
