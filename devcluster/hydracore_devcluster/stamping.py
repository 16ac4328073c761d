"""Waits until the API server can stamp: it learns the kinds of a new definition with a delay."""

from __future__ import annotations

import asyncio
import time
from http import HTTPStatus

from hydracore_devcluster.client import Api, ApiError, ApiUnreachableError
from hydracore_devcluster.errors import InstallFailedError

_POLL_SECONDS = 0.1


async def await_stamping(api: Api, namespace: str, *, seconds: float) -> None:
    """Return once a Rollout passes the policies that change objects.

    These know kinds by the API server's published schemas, which follow a definition by seconds;
    until then every creation of a Rollout is answered with 503. Nothing is stored here.

    Args:
        api: A connection that may create Rollouts.
        namespace: Any that is there.
        seconds: How long to wait.

    Raises:
        InstallFailedError: It took longer, or there is no answer.
    """
    path = f"/apis/hydracore.io/v1alpha1/namespaces/{namespace}/rollouts?dryRun=All"
    probe = {"apiVersion": "hydracore.io/v1alpha1", "kind": "Rollout", "spec": {}}
    deadline = time.monotonic() + seconds
    while True:
        try:
            await api.json("POST", path, {**probe, "metadata": {"generateName": "probe-"}})
        except ApiUnreachableError as error:
            raise InstallFailedError(f"whether Rollouts are stamped is unknown: {error}") from error
        except ApiError as error:
            # Any other refusal comes later than the stamps: the probe is no valid Rollout.
            if error.status != HTTPStatus.SERVICE_UNAVAILABLE:
                return
            if time.monotonic() > deadline:
                raise InstallFailedError(
                    f"no Rollout could be made after {seconds:.0f} s: {error}"
                ) from error
        else:
            return
        await asyncio.sleep(_POLL_SECONDS)
