"""What a rollout will do: reads the tenant by kubectl's rights and asks the plan."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from hydracore_cli.errors import CliError
from hydracore_cli.rollouts.approve import find_rollout
from hydracore_core.rollouts.estimate import observe
from hydracore_core.rollouts.model import TenantView
from hydracore_core.rollouts.preview import NoPlan, preview
from hydracore_core.rollouts.preview_model import RolloutPreview
from hydracore_crds import (
    Bundle,
    Instance,
    ObjectMeta,
    PlatformPolicy,
    Rollout,
    RolloutTarget,
    UpdatePolicy,
)
from hydracore_crds.base import API_VERSION
from hydracore_crds.platform_policy import DEFAULT_NAME as PLATFORM_DEFAULT
from hydracore_crds.update_policy import DEFAULT_NAME
from hydracore_kube import AlreadyExists, Forbidden, KubeClient, NotFound
from hydracore_kube.paths import where_of

Manifest = dict[str, Any]


def read_file(path: Path) -> Manifest:
    """Return the Rollout of a file; ``-`` is stdin.

    Raises:
        CliError: It cannot be read, or is not exactly one Rollout.
    """
    if str(path) == "-":
        return read_manifest(sys.stdin.read(), "stdin")
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise CliError(f"{path} cannot be read: {error}") from None
    return read_manifest(text, str(path))


def read_manifest(text: str, source: str) -> Manifest:
    """Return the one Rollout of a manifest.

    Args:
        text: YAML or JSON.
        source: Where it is from, for messages.

    Raises:
        CliError: It cannot be read, or is not exactly one Rollout.
    """
    try:
        documents = [document for document in yaml.safe_load_all(text) if document]
    except yaml.YAMLError as error:
        raise CliError(f"{source} is no YAML: {error}") from None
    if len(documents) != 1 or not isinstance(documents[0], dict):
        raise CliError(f"{source} holds {len(documents)} objects: give one Rollout")
    found: Manifest = documents[0]
    if (found.get("kind"), found.get("apiVersion")) != ("Rollout", API_VERSION):
        raise CliError(f"{source} is no Rollout of {API_VERSION}")
    if not isinstance(found.get("metadata"), dict):
        raise CliError(f"{source} has no metadata: give the Rollout a name")
    return found


async def of_manifest(kube: KubeClient, namespace: str, manifest: Manifest) -> RolloutPreview:
    """Return what a Rollout of this manifest would do; the API server checks it in a dry run.

    Raises:
        CliError: A Rollout of that name exists, or there is nothing to plan.
        KubeError: The API server refuses the manifest, or is away.
    """
    name = manifest["metadata"].get("name")
    inside = manifest["metadata"].get("namespace") or namespace
    if inside != namespace:
        raise CliError(f"the manifest is for namespace {inside}, not {namespace}: see --namespace")
    try:
        stored = await kube.create_raw(
            where_of(Rollout, namespace), manifest, strict=True, dry_run=True
        )
    except AlreadyExists:
        raise CliError(
            f"there is a Rollout {name} in namespace {namespace} already: `hydracore rollouts plan "
            f"{name}` shows its plan; to plan another, give it another name"
        ) from None
    found = Rollout.model_validate(stored)
    # Its uid and time are made up by the dry run.
    metadata = ObjectMeta(name=found.metadata.name, annotations=found.metadata.annotations)
    return await _plan(kube, namespace, Rollout(metadata=metadata, spec=found.spec))


async def of_existing(kube: KubeClient, namespace: str, name: str) -> RolloutPreview:
    """Return what an existing rollout does.

    Raises:
        CliError: There is no such rollout, or there is nothing to plan.
        KubeError: The API server refuses or is away.
    """
    return await _plan(kube, namespace, await find_rollout(kube, namespace, name))


async def _plan(kube: KubeClient, namespace: str, wanted: Rollout) -> RolloutPreview:
    view = await _read(kube, namespace, wanted.spec.bundle_name)
    try:
        return preview(view, wanted, observe(view.targets))
    except NoPlan as error:
        raise CliError(str(error)) from None


async def _read(kube: KubeClient, namespace: str, bundle: str) -> TenantView:
    instances, _ = await kube.list(Instance, namespace)
    rollouts, _ = await kube.list(Rollout, namespace)
    targets, _ = await kube.list(RolloutTarget, namespace)
    policies, _ = await kube.list(UpdatePolicy, namespace)
    try:
        bundles = {bundle: await kube.get(Bundle, bundle)}
    except NotFound:
        bundles = {}
    return TenantView(
        namespace=namespace,
        now=datetime.now(UTC),
        policy=next((one for one in policies if one.metadata.name == DEFAULT_NAME), None),
        platform=await _platform(kube),
        rollouts=rollouts,
        targets=targets,
        instances=instances,
        bundles=bundles,
    )


async def _platform(kube: KubeClient) -> PlatformPolicy | None:
    """Return the platform's policy; None also for those whose rights end at their namespace."""
    try:
        return await kube.get(PlatformPolicy, PLATFORM_DEFAULT)
    except (NotFound, Forbidden):
        return None
