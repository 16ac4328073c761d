"""Bundle: one version of a component, addressed by digest and signed."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from hydracore_crds.base import (
    NAME_LENGTH,
    Column,
    Conditions,
    Kind,
    Resource,
    Rule,
    Sha256,
    Slug,
    Wire,
    immutable,
    rules,
)

SEMVER_PATTERN = (
    r"^(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)"
    r"(-[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?(\+[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?$"
)
"""SemVer 2.0.0; what the pattern cannot say (leading zeros in prereleases) the operator checks."""

Component = Literal["runtime", "skill", "mcp-server"]


class Artifact(Wire):
    """The bytes of a bundle."""

    uri: Annotated[str, StringConstraints(min_length=1, max_length=1024)] = Field(
        description="Where the artifact lies in the object store."
    )
    sha256: Sha256 = Field(description="SHA-256 of the artifact, lower-case hex.")
    size_bytes: int = Field(ge=1, le=10_737_418_240, description="Size of the artifact.")


class Signature(Wire):
    """Ed25519 over the 32 bytes of the artifact's digest."""

    key_id: Annotated[str, StringConstraints(min_length=1, max_length=64)] = Field(
        description="Which of the trusted keys signed."
    )
    value: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9+/]{86}==$", max_length=88)] = (
        Field(description="The signature, base64.")
    )


class BundleSpec(Wire):
    """What is published; immutable but for ``yanked``."""

    model_config = rules(
        immutable("component", "slug", "version", "artifact", "signature", "changelog")
    )

    component: Component = Field(description="What kind of component this is.")
    slug: Slug = Field(description="Name of the component over all its versions.")
    version: Annotated[str, StringConstraints(pattern=SEMVER_PATTERN, max_length=64)] = Field(
        description="Semantic version (SemVer 2.0.0)."
    )
    artifact: Artifact
    signature: Signature
    changelog: Annotated[str, StringConstraints(max_length=4096)] = Field(
        default="", description="What changed, for people."
    )
    yanked: bool = Field(
        default=False, description="Withdrawn: no longer offered and never started again."
    )


class BundleStatus(Wire):
    """What the operator found out."""

    observed_generation: int | None = None
    conditions: Conditions = Field(default_factory=list)


class Bundle(Resource):
    """One published version of a runtime, skill or MCP server."""

    KIND: ClassVar[Kind] = Kind(
        kind="Bundle",
        plural="bundles",
        short="hbu",
        namespaced=False,
        columns=(
            Column("Component", ".spec.component"),
            Column("Slug", ".spec.slug"),
            Column("Version", ".spec.version"),
            Column("Ready", '.status.conditions[?(@.type=="Ready")].status'),
            Column("Quarantined", '.status.conditions[?(@.type=="Quarantined")].status'),
            Column("Reason", '.status.conditions[?(@.type=="Ready")].reason', priority=1),
            Column("Digest", ".spec.artifact.sha256", priority=1),
            Column("Yanked", ".spec.yanked", "boolean", priority=1),
            Column("Age", ".metadata.creationTimestamp", "date"),
        ),
        rules=(
            NAME_LENGTH,
            Rule(
                "self.metadata.name == (self.spec.component + '-' + self.spec.slug + '-' "
                "+ self.spec.version).lowerAscii().replace('+', '-')",
                "metadata.name must be <component>-<slug>-<version>, in lower case and with '-' "
                "for '+'",
            ),
        ),
    )

    kind: str = "Bundle"
    spec: BundleSpec
    status: BundleStatus = Field(default_factory=BundleStatus)


def bundle_name(component: str, slug: str, version: str) -> str:
    """Return the object name of a bundle: ``<component>-<slug>-<version>``, as a DNS name.

    Dots stay (object names may have them); ``+`` of build metadata becomes ``-``.
    """
    return f"{component}-{slug}-{version}".lower().replace("+", "-")
