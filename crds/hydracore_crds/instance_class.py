"""InstanceClass: what a tenant may order, like a StorageClass. REST calls its name ``tier_id``."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from hydracore_crds.base import Column, Kind, Name, Resource, ShortText, Wire

RegionId = Annotated[str, StringConstraints(min_length=1, max_length=80)]


class InstanceClassSpec(Wire):
    """What servers of this class are made of."""

    display_name: ShortText = Field(description="Name shown to people (REST: product_tier_name).")
    provider: Literal["local"] = Field(description="Who provides the servers.")
    server_type: ShortText = Field(description="The provider's name for the size of the server.")
    regions: dict[RegionId, ShortText] = Field(
        min_length=1,
        max_length=64,
        description="Regions in which the class is sold: region id to the provider's location.",
    )
    bundle_name: Name = Field(description="The runtime Bundle that a new server installs first.")


class InstanceClass(Resource):
    """An offer: provider, size, regions and first runtime."""

    KIND: ClassVar[Kind] = Kind(
        kind="InstanceClass",
        plural="instanceclasses",
        short="hic",
        namespaced=False,
        columns=(
            Column("Provider", ".spec.provider"),
            Column("Type", ".spec.serverType"),
            Column("Bundle", ".spec.bundleName"),
            Column("Age", ".metadata.creationTimestamp", "date"),
        ),
    )

    kind: str = "InstanceClass"
    spec: InstanceClassSpec
