"""Taking back what a rollout has updated, in the caller's name."""

from __future__ import annotations

from hydracore_cli.errors import CliError
from hydracore_cli.rollouts.approve import TRIES, find_rollout, who_am_i
from hydracore_core.rollouts.wishes import rollback_asked_by
from hydracore_crds import Rollout
from hydracore_crds.names import ROLLBACK_ANNOTATION, ROLLED_BACK_BY_ANNOTATION
from hydracore_kube import Conflict, KubeClient


async def rollback(kube: KubeClient, namespace: str, name: str) -> str:
    """Ask for a rollback; return what was done.

    Raises:
        CliError: There is no such rollout, or it is being deleted.
        KubeError: The API server refuses or is away.
    """
    for _ in range(TRIES):
        rollout = await find_rollout(kube, namespace, name)
        if rollout.deleting:
            raise CliError(f"{name} is being deleted: roll out the older bundle instead")
        if rollout.status.rollback is not None or rollback_asked_by(rollout) is not None:
            return f"{name} takes back what it has updated already: nothing to do"
        asked = {ROLLBACK_ANNOTATION: "true", ROLLED_BACK_BY_ANNOTATION: await who_am_i(kube)}
        metadata = {
            "uid": rollout.metadata.uid,
            "resourceVersion": rollout.metadata.resource_version,
            "annotations": asked,
        }
        try:
            await kube.patch(Rollout, name, namespace, {"metadata": metadata})
        except Conflict:
            continue
        return f"{name} takes back what it has updated, newest first"
    raise CliError(f"{name} is changing too fast: look at it and try again")
