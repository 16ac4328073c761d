"""Where objects live below the API server's root."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import quote

from hydracore_crds import Resource


class Where(NamedTuple):
    """The address of an object, or without a name of a collection."""

    api_version: str
    plural: str
    namespace: str | None = None
    name: str | None = None


Place = str | Where | tuple[str, str, str | None, str | None]
"""A path that begins with ``/``, a :class:`Where`, or a tuple of the same four."""


def api_path(place: Place, *, subresource: str | None = None) -> str:
    """Return the URL path of an object or collection; names are quoted."""
    if isinstance(place, str):
        path = place
    else:
        where = Where(*place)
        root = "/apis" if "/" in where.api_version else "/api"
        parts = [root, where.api_version]
        if where.namespace is not None:
            parts += ["namespaces", quote(where.namespace, safe="")]
        parts.append(where.plural)
        if where.name is not None:
            parts.append(quote(where.name, safe=""))
        path = "/".join(parts)
    return f"{path}/{subresource}" if subresource else path


def where_of(kind: type[Resource], namespace: str | None = None, name: str | None = None) -> Where:
    """Return the address of a typed object; cluster-scoped kinds ignore the namespace."""
    api_version = str(kind.model_fields["api_version"].default)
    return Where(api_version, kind.KIND.plural, namespace if kind.KIND.namespaced else None, name)
