"""Namespace: read only, for the tenant's label and for its end."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from hydracore_crds.base import Kind, Resource, Wire
from hydracore_crds.names import TENANT_LABEL


class NamespaceStatus(Wire):
    """The part of core/v1 NamespaceStatus that HydraCore reads."""

    phase: str = "Active"


class Namespace(Resource):
    """A namespace; a tenant if it carries the tenant label."""

    KIND: ClassVar[Kind] = Kind(
        kind="Namespace", plural="namespaces", short="ns", namespaced=False, rules=()
    )

    api_version: str = "v1"
    kind: str = "Namespace"
    status: NamespaceStatus = Field(default_factory=NamespaceStatus)

    @property
    def tenant_id(self) -> str | None:
        """The tenant's id, or None where the namespace is no tenant."""
        return self.metadata.labels.get(TENANT_LABEL) or None

    @property
    def terminating(self) -> bool:
        """Whether the namespace is being deleted: nothing starts in it."""
        return self.deleting or self.status.phase == "Terminating"
