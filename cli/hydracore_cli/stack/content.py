"""What a fresh stack holds: a tenant, a runtime, something to order, and a key."""

from __future__ import annotations

import asyncio
import time

from hydracore_artifacts.build.runtime import DEFAULT_SLUG, RuntimeRequest, build_runtime
from hydracore_artifacts.errors import ArtifactMissing
from hydracore_artifacts.signing import BundleSigner
from hydracore_artifacts.store import ArtifactStore
from hydracore_cli.bundles.publish import publish_bundle
from hydracore_cli.bundles.sidecar import sign_bundle
from hydracore_cli.errors import CliError
from hydracore_cli.stack.layout import StackLayout
from hydracore_crds import conditions
from hydracore_crds.base import ObjectMeta, find
from hydracore_crds.bundle import Bundle, bundle_name
from hydracore_crds.instance_class import InstanceClass, InstanceClassSpec
from hydracore_crds.names import TENANT_LABEL
from hydracore_kube.client import KubeClient
from hydracore_kube.errors import AlreadyExists, NotFound
from hydracore_kube.paths import Where

FIRST_TENANT = "acme"
FIRST_VERSION = "1.0.0"
CLASS_NAME = "local-small"
REGION = "local"
VERIFY_SECONDS = 60.0
_POLL_SECONDS = 0.2


async def ensure_tenant(kube: KubeClient, tenant: str) -> None:
    """Make the tenant's namespace (named like the tenant) if it is missing.

    Raises:
        CliError: a namespace of this name belongs to somebody else.
    """
    body = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": tenant, "labels": {TENANT_LABEL: tenant}},
    }
    try:
        await kube.create_raw(Where("v1", "namespaces"), body)
    except AlreadyExists:
        found = await kube.get_raw(Where("v1", "namespaces", None, tenant))
        labels = found["metadata"].get("labels") or {}
        if labels.get(TENANT_LABEL) != tenant:
            raise CliError(
                f"the namespace {tenant} is there already and is not the tenant {tenant}: label "
                f"it with {TENANT_LABEL}={tenant} if it should be"
            ) from None


async def ensure_runtime(
    layout: StackLayout, kube: KubeClient, store: ArtifactStore, version: str
) -> Bundle:
    """Build, sign and publish the runtime of this version unless it is published.

    Raises:
        CliError: it is published in this cluster by somebody with another store.
        BuildError, ArtifactError, KubeError
    """
    try:
        found = await kube.get(Bundle, bundle_name("runtime", DEFAULT_SLUG, version))
    except NotFound:
        return await build_and_publish(layout, kube, store, RuntimeRequest(version))
    try:
        await store.size(found.spec.artifact.sha256)
    except ArtifactMissing:
        raise CliError(
            f"the cluster has Bundle {found.metadata.name}, but this stack's store lacks its "
            f"artifact: another stack published it. Delete it (kubectl delete bundle "
            f"{found.metadata.name}) or use that stack's --state-dir"
        ) from None
    return found


async def build_and_publish(
    layout: StackLayout,
    kube: KubeClient,
    store: ArtifactStore,
    request: RuntimeRequest,
    changelog: str = "",
) -> Bundle:
    """Build a runtime bundle, sign it with the stack's key and publish it."""
    out = layout.bundles / f"{bundle_name('runtime', request.slug, request.version)}.tar.gz"
    await asyncio.to_thread(build_runtime, request, out)
    await asyncio.to_thread(sign_bundle, out, BundleSigner.load(layout.signing_key))
    return await publish_bundle(out, store=store, kube=kube, changelog=changelog)


async def ensure_class(kube: KubeClient, bundle: str) -> None:
    """Make the InstanceClass of the local provider if it is missing."""
    wanted = InstanceClass(
        metadata=ObjectMeta(name=CLASS_NAME),
        spec=InstanceClassSpec(
            display_name="Local small",
            provider="local",
            server_type="process",
            regions={REGION: "this-machine"},
            bundle_name=bundle,
        ),
    )
    try:
        await kube.create(wanted)
    except AlreadyExists:
        return


async def wait_verified(kube: KubeClient, name: str, seconds: float = VERIFY_SECONDS) -> Bundle:
    """Return the Bundle once the operator has verified it.

    Raises:
        CliError: the operator refused it or did not get to it in time; says what it found.
    """
    deadline = time.monotonic() + seconds
    said = "the operator has not looked at it"
    while True:
        found = await kube.get(Bundle, name)
        ready = find(found.status.conditions, conditions.READY)
        if ready is not None and ready.status == "True":
            return found
        if ready is not None:
            said = f"{ready.reason}: {ready.message}"
        if time.monotonic() > deadline:
            raise CliError(f"Bundle {name} was not verified within {seconds:.0f} s: {said}")
        await asyncio.sleep(_POLL_SECONDS)
