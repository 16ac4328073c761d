"""The client of the API server that operator, API and tools share: typed objects and raw ones."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from typing import Any, Literal, TypeVar

import structlog
from pydantic import ValidationError

from hydracore_crds import Resource, Wire
from hydracore_kube.diff import merge_diff
from hydracore_kube.errors import Malformed
from hydracore_kube.paths import Place, Where, api_path, where_of
from hydracore_kube.raw import Propagation, RawClient
from hydracore_kube.transport import Transport
from hydracore_kube.watch import WATCH_SECONDS, WatchEvent, watch_lines

R = TypeVar("R", bound=Resource)
_SERVER_SIDE_METADATA = (
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "managedFields",
)

log = structlog.get_logger(__name__)


class KubeClient(RawClient):
    """One connection to one API server.

    Every method raises :class:`~hydracore_kube.errors.KubeError`. Reads are retried while the
    server is unavailable; writes are sent once, and :class:`Unavailable` after a write means that
    its outcome is unknown.
    """

    @classmethod
    async def connect(
        cls,
        kubeconfig: str | None,
        *,
        field_manager: str,
        timeout_seconds: float = 10,
        connections: int = 32,
    ) -> KubeClient:
        """Read the configuration; nothing is sent yet.

        Args:
            kubeconfig: Path of a kubeconfig, or None for the service account of the pod.
            field_manager: Under which name the API server records our writes, and our calls.
            timeout_seconds: Deadline of each request but watches.
            connections: Most connections at once.

        Raises:
            KubeconfigError: The configuration cannot be used; the message names file and fault.
        """
        transport = await Transport.connect(
            kubeconfig,
            user_agent=field_manager,
            timeout_seconds=timeout_seconds,
            connections=connections,
        )
        return cls(transport, field_manager=field_manager)

    # ---- typed reads -----------------------------------------------------------------------
    async def get(self, kind: type[R], name: str, namespace: str | None = None) -> R:
        """Read one object, fresh from the store of record."""
        return parse(kind, await self.get_raw(where_of(kind, namespace, name)))

    async def list(
        self,
        kind: type[R],
        namespace: str | None = None,
        *,
        label_selector: str | None = None,
        field_selector: str | None = None,
        held: Callable[[dict[str, Any]], R | None] = lambda _metadata: None,
    ) -> tuple[list[R], str]:
        """Read all objects, of one namespace or of all, page by page.

        Args:
            kind: What to list.
            namespace: Where; everywhere by default.
            label_selector: Which of them, by labels.
            field_selector: Which of them, by fields.
            held: Returns the object whose wire metadata is given, if the caller has that very
                version already: it is not read again.

        Returns:
            The objects and the list's resourceVersion. An object that its model cannot read is
            logged and left out, so that one broken object does not stop the others.
        """
        items, version = await self.list_raw(
            where_of(kind, namespace), label_selector=label_selector, field_selector=field_selector
        )
        read = (held(item.get("metadata") or {}) or try_parse(kind, item) for item in items)
        return [obj for obj in read if obj is not None], version

    async def watch(
        self,
        kind: type[R],
        namespace: str | None = None,
        *,
        resource_version: str,
        timeout_seconds: int = WATCH_SECONDS,
    ) -> AsyncGenerator[WatchEvent[R], None]:
        """Yield what changes after ``resource_version``, until the server ends the stream.

        Bookmarks are yielded too (without an object): they carry the version to go on from.

        Raises:
            Gone: The version is too old: list again.
            Unavailable: The stream broke or fell silent.
        """
        path = api_path(where_of(kind, namespace))
        lines = watch_lines(self._transport, path, resource_version, timeout_seconds)
        async with aclosing(lines) as stream:
            async for type_, item in stream:
                version = str((item.get("metadata") or {}).get("resourceVersion") or "")
                obj = None if type_ == "BOOKMARK" else try_parse(kind, item)
                if obj is not None or type_ == "BOOKMARK":
                    yield WatchEvent(type=type_, obj=obj, resource_version=version)

    # ---- typed writes ----------------------------------------------------------------------
    async def create(self, obj: R) -> R:
        """Create an object and return it as stored; its status is not sent."""
        body = obj.to_wire()
        body.pop("status", None)
        metadata = body["metadata"]
        for key in _SERVER_SIDE_METADATA:
            metadata.pop(key, None)
        place = where_of(type(obj), obj.metadata.namespace)
        return parse(type(obj), await self.create_raw(place, body, strict=True))

    async def patch(
        self,
        kind: type[R],
        name: str,
        namespace: str | None,
        body: dict[str, Any],
        *,
        subresource: Literal["status"] | None = None,
    ) -> R:
        """Send a JSON merge patch; ``metadata`` in it may carry uid and resourceVersion."""
        place = where_of(kind, namespace, name)
        return parse(kind, await self.patch_raw(place, body, subresource=subresource, strict=True))

    async def update_status(self, obj: R, new_status: Wire) -> R:
        """Write the difference between ``obj``'s status and ``new_status``, if there is any.

        On the status subresource the API server enforces resourceVersion and ignores the uid that
        goes along; a version belongs to one object alone, so nothing lands on a namesake.

        Returns:
            The object as stored, or ``obj`` itself where nothing differs (nothing is sent).

        Raises:
            Conflict: The object changed or was recreated since ``obj`` was read.
            NotFound: It is gone.
        """
        old: Wire = obj.status  # type: ignore[attr-defined]
        difference = merge_diff(old.to_wire(), new_status.to_wire())
        if not difference:
            return obj
        body = {"metadata": _preconditions(obj), "status": difference}
        return await self.patch(
            type(obj), obj.metadata.name, obj.metadata.namespace, body, subresource="status"
        )

    async def set_finalizers(self, obj: R, finalizers: Sequence[str]) -> R:
        """Write the list of finalizers; nothing is sent where it is the same.

        Raises:
            Conflict: The object changed or was recreated since ``obj`` was read.
            NotFound: It is gone.
        """
        if obj.metadata.finalizers == [*finalizers]:
            return obj
        body = {"metadata": {**_preconditions(obj), "finalizers": [*finalizers]}}
        return await self.patch(type(obj), obj.metadata.name, obj.metadata.namespace, body)

    async def delete(
        self,
        kind: type[R],
        name: str,
        namespace: str | None,
        *,
        uid: str | None = None,
        resource_version: str | None = None,
        propagation: Propagation | None = None,
    ) -> None:
        """Ask for deletion; with ``uid`` only of that very object (else :class:`Conflict`).

        With ``resource_version`` only if it has not changed since.
        """
        await self.delete_raw(
            where_of(kind, namespace, name),
            uid=uid,
            resource_version=resource_version,
            propagation=propagation,
        )


def parse(kind: type[R], item: dict[str, Any]) -> R:
    """Read a wire object.

    Raises:
        Malformed: It does not fit the model; the message names object, field and fault.
    """
    try:
        return kind.model_validate(item)
    except ValidationError as fault:
        metadata = item.get("metadata") or {}
        name = "/".join(str(metadata[k]) for k in ("namespace", "name") if metadata.get(k))
        first = fault.errors(include_url=False, include_input=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        raise Malformed(f"{kind.KIND.kind} {name}: {field}: {first['msg']}") from fault


def try_parse(kind: type[R], item: dict[str, Any]) -> R | None:
    """Read a wire object; None, and an error in the log, where it does not fit the model."""
    try:
        return parse(kind, item)
    except Malformed as fault:
        log.error("object_unreadable", kind=kind.KIND.kind, fault=fault.message)  # noqa: TRY400
        return None


def _preconditions(obj: Resource) -> dict[str, str]:
    return {"uid": obj.metadata.uid, "resourceVersion": obj.metadata.resource_version}


__all__ = ["KubeClient", "Place", "Propagation", "WatchEvent", "Where", "parse", "try_parse"]
