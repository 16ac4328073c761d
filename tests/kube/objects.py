"""Small objects for tests of the store."""

from __future__ import annotations

from hydracore_crds import Instance, ObjectMeta
from hydracore_crds.instance import InstanceSpec


def instance(name: str, version: int, *, uid: str = "", namespace: str = "t") -> Instance:
    """Return an Instance with a resourceVersion; its uid is derived from its name by default."""
    return Instance(
        metadata=ObjectMeta(
            name=name,
            namespace=namespace,
            uid=uid or f"uid-{name}",
            resource_version=str(version),
        ),
        spec=InstanceSpec(class_name="small", region_id="eu"),
    )
