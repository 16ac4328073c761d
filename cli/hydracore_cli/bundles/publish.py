"""Publishing: the bytes go into the store, then the Bundle resource names them."""

from __future__ import annotations

from pathlib import Path

from hydracore_artifacts.store import ArtifactStore
from hydracore_cli.bundles.sidecar import SignedBundle, check_digest
from hydracore_cli.errors import CliError
from hydracore_crds.base import ObjectMeta
from hydracore_crds.bundle import Artifact, Bundle, BundleSpec, bundle_name
from hydracore_kube.client import KubeClient
from hydracore_kube.errors import AlreadyExists

FIELD_MANAGER = "hydracore-cli"


async def publish_bundle(
    bundle: Path, *, store: ArtifactStore, kube: KubeClient, changelog: str = ""
) -> Bundle:
    """Publish a signed bundle file and return the resource.

    The bytes are stored first, so that no resource ever names an artifact that is not there.
    Publishing the same file again changes nothing.

    Raises:
        CliError: the file is not signed, or this version was published with other bytes.
        ArtifactError, KubeError: store or API server refuse.
    """
    signed = SignedBundle.load(bundle)
    check_digest(bundle, signed)
    uri = await store.put(signed.sha256, bundle)
    wanted = Bundle(
        metadata=ObjectMeta(name=bundle_name(signed.component, signed.slug, signed.version)),
        spec=BundleSpec(
            component=signed.component,
            slug=signed.slug,
            version=signed.version,
            artifact=Artifact(uri=uri, sha256=signed.sha256, size_bytes=signed.size_bytes),
            signature=signed.signature,
            changelog=changelog,
        ),
    )
    try:
        return await kube.create(wanted)
    except AlreadyExists:
        found = await kube.get(Bundle, wanted.metadata.name)
    if found.spec.artifact.sha256 != signed.sha256:
        raise CliError(
            f"Bundle {found.metadata.name} is already published with the digest "
            f"{found.spec.artifact.sha256}, not {signed.sha256}: published versions never "
            "change, so build this one under a new version"
        )
    return found
