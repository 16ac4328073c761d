"""Objects without a model of ours: ConfigMaps, Leases, and whatever else the server holds."""

from __future__ import annotations

from typing import Any, Literal

from hydracore_kube.errors import Gone, Malformed
from hydracore_kube.paths import Place, api_path
from hydracore_kube.transport import Transport

Propagation = Literal["Background", "Foreground", "Orphan"]
PAGE = 500
MAX_PAGES = 10_000


class RawClient:
    """Reads and writes JSON objects at a place. See :class:`hydracore_kube.client.KubeClient`."""

    def __init__(self, transport: Transport, *, field_manager: str) -> None:
        self._transport = transport
        self._write = {"fieldManager": field_manager}

    async def close(self) -> None:
        """Close all connections."""
        await self._transport.close()

    async def get_raw(self, place: Place) -> dict[str, Any]:
        """Read one object or any other JSON of the API server."""
        return _mapping(await self._transport.json("GET", api_path(place)), place)

    async def list_raw(
        self,
        place: Place,
        *,
        label_selector: str | None = None,
        field_selector: str | None = None,
    ) -> tuple[list[dict[str, Any]], str]:
        """Read a collection page by page; return its items and its resourceVersion."""
        params = {"limit": str(PAGE)}
        if label_selector:
            params["labelSelector"] = label_selector
        if field_selector:
            params["fieldSelector"] = field_selector
        try:
            return await self._pages(place, params)
        except Gone:  # the snapshot that the pages came from is compacted away: read all at once
            return await self._pages(place, {k: v for k, v in params.items() if k != "limit"})

    async def _pages(
        self, place: Place, params: dict[str, str]
    ) -> tuple[list[dict[str, Any]], str]:
        path = api_path(place)
        items: list[dict[str, Any]] = []
        for _ in range(MAX_PAGES):
            page = _mapping(await self._transport.json("GET", path, params=params), place)
            items.extend(page.get("items") or ())
            metadata = page.get("metadata") or {}
            token = metadata.get("continue")
            if not token:
                return items, str(metadata.get("resourceVersion") or "")
            params = {**params, "continue": token}
        raise Malformed(f"GET {path}: the list has no end")

    async def create_raw(
        self, place: Place, body: dict[str, Any], *, strict: bool = False, dry_run: bool = False
    ) -> dict[str, Any]:
        """Create an object in a collection; ``strict`` refuses fields unknown to the schema.

        With ``dry_run`` it is checked, by admission too, and completed with its defaults, but not
        stored.
        """
        params = self._params(strict=strict) | ({"dryRun": "All"} if dry_run else {})
        return _mapping(
            await self._transport.json("POST", api_path(place), params=params, body=body), place
        )

    async def replace_raw(self, place: Place, body: dict[str, Any]) -> dict[str, Any]:
        """Replace an object; its ``metadata.resourceVersion`` is the precondition, if present."""
        params = self._params(strict=False)
        return _mapping(
            await self._transport.json("PUT", api_path(place), params=params, body=body), place
        )

    async def patch_raw(
        self,
        place: Place,
        body: dict[str, Any],
        *,
        subresource: str | None = None,
        strict: bool = False,
    ) -> dict[str, Any]:
        """Send a JSON merge patch (RFC 7386)."""
        path = api_path(place, subresource=subresource)
        answer = await self._transport.json(
            "PATCH", path, params=self._params(strict=strict), body=body
        )
        return _mapping(answer, place)

    async def delete_raw(
        self,
        place: Place,
        *,
        uid: str | None = None,
        resource_version: str | None = None,
        propagation: Propagation | None = None,
    ) -> None:
        """Ask for deletion; with ``uid`` only of that very object (else :class:`Conflict`).

        With ``resource_version`` only if it has not changed since.
        """
        body: dict[str, Any] = {"kind": "DeleteOptions", "apiVersion": "v1"}
        wanted = {"uid": uid, "resourceVersion": resource_version}
        preconditions = {key: value for key, value in wanted.items() if value is not None}
        if preconditions:
            body["preconditions"] = preconditions
        if propagation is not None:
            body["propagationPolicy"] = propagation
        await self._transport.json("DELETE", api_path(place), body=body)

    def _params(self, *, strict: bool) -> dict[str, str]:
        return {**self._write, "fieldValidation": "Strict"} if strict else self._write


def _mapping(answer: Any, place: Place) -> dict[str, Any]:
    if not isinstance(answer, dict):
        raise Malformed(f"{api_path(place)}: the answer is no object")
    return answer
