"""Answers that stand ready: the two reads that clients repeat most, kept as they were sent.

``GET /v1/instances`` and ``GET /v1/instances/{id}`` are rendered by their routes; what a route
answered is sent again as long as everything that it was made from is the same. Only answers to
callers who may have them come from here: whatever is unusual about a request (another credential,
a key that the authenticator has to look up, a query, a body) goes to the route, which decides.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from operator import is_
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hydracore_api.auth.principal import may
from hydracore_api.auth.tenancy import is_tenants
from hydracore_api.services import Services
from hydracore_crds import Instance, InstanceClass
from hydracore_history import ApiKey

LIST = "/v1/instances"
SCOPE = "instances:read"
FRESH = timedelta(seconds=1)
"""After so long an instance's capabilities, which SQL holds, are looked up again by one request;
for so long again the others that come meanwhile are answered as before."""
MAX_ANSWERS = 4096
MAX_BYTES = 1024 * 1024
"""A larger answer is not kept."""
_OK = 200
_DETAIL = LIST + "/"
_CREDENTIALS = (b"authorization", b"x-api-key")
_BODY = (b"content-length", b"transfer-encoding")

Basis = tuple[Any, ...]
"""What an answer is made from; compared by identity, since stores replace objects as a whole."""


@dataclass
class Answer:
    """One answer as it was sent."""

    basis: Basis
    until: datetime | None
    start: Message = field(default_factory=dict)
    body: bytes = b""
    asked_again: bool = False

    def holds(self, now: Callable[[], datetime]) -> bool:
        """Whether it may be sent; of those who come after its time, one goes to the route."""
        if self.until is None or (at := now()) < self.until:
            return True
        if self.asked_again or at >= self.until + FRESH:
            return False
        self.asked_again = True
        self.until += FRESH
        return False


class Changes:
    """Tells apart the states of a tenant's list: anything that it shows makes a new one."""

    def __init__(self, services: Services) -> None:
        self._lists: defaultdict[str, object] = defaultdict(object)
        self.classes: object = object()
        services.cache.instances.subscribe(self._instance)
        services.cache.classes.subscribe(self._class)

    def of(self, namespace: str) -> object:
        """Return what stands for the tenant's instances as they are now."""
        return self._lists[namespace]

    def _instance(self, old: Instance | None, new: Instance | None) -> None:
        one = new or old
        if one is not None:
            self._lists.pop(one.metadata.namespace or "", None)

    def _class(self, _old: InstanceClass | None, _new: InstanceClass | None) -> None:
        self.classes = object()


class ReadyAnswers:
    """ASGI middleware; see the module. It stands before all others: they cost more than it does.

    Args:
        app: Who answers otherwise.
        services: The app's services, once it has started.
    """

    def __init__(self, app: ASGIApp, services: Callable[[], Services | None]) -> None:
        self.app = app
        self._of_app = services
        self._answers: OrderedDict[tuple[str, str], Answer] = OrderedDict()
        self._services: Services | None = None
        self._changes: Changes | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send what stands ready, or have the route answer and keep its answer."""
        key = _key_of(scope)
        services = self._of_app() if key is not None else None
        if key is None or services is None:
            await self.app(scope, receive, send)
            return
        found = self._look(services, key, scope["path"])
        if found is None:
            await self.app(scope, receive, send)
            return
        place, basis, until = found
        known = self._answers.get(place)
        if known is not None and _same(known.basis, basis) and known.holds(services.now):
            await send(known.start)
            await send({"type": "http.response.body", "body": known.body})
            return
        await self.app(scope, receive, self._keeping(place, Answer(basis, until), send))

    def _look(
        self, services: Services, text: str, path: str
    ) -> tuple[tuple[str, str], Basis, datetime | None] | None:
        """Return where the answer is kept and what it rests on; None where the route decides."""
        record = services.authenticator.known(text) if services.cache.ready else None
        if record is None or not may(record, SCOPE) or not is_tenants(services, record):
            return None
        changes = self._watch(services)
        namespace = record.namespace
        if path == LIST:
            return (namespace, path), (changes.of(namespace), changes.classes), None
        return self._detail(services, record, path)

    def _detail(
        self, services: Services, record: ApiKey, path: str
    ) -> tuple[tuple[str, str], Basis, datetime | None] | None:
        # Whatever is no id is nobody's: other routes below an instance have a slash more.
        id_ = path.removeprefix(_DETAIL)
        instance = services.cache.instance_by_id.one(record.namespace, id_)
        if instance is None:
            return None
        class_ = services.cache.classes.get(instance.spec.class_name)
        return (record.namespace, path), (instance, class_), services.now() + FRESH

    def _watch(self, services: Services) -> Changes:
        if self._changes is None or self._services is not services:
            self._services, self._changes = services, Changes(services)
            self._answers.clear()
        return self._changes

    def _keeping(self, place: tuple[str, str], answer: Answer, send: Send) -> Send:
        """Return a ``send`` that keeps a good answer once it was sent as a whole."""

        async def keeping(message: Message) -> None:
            if message["type"] == "http.response.start":
                answer.start = message
            elif message["type"] == "http.response.body":
                answer.body += message.get("body", b"")
                whole = not message.get("more_body", False)
                if whole and answer.start["status"] == _OK and len(answer.body) <= MAX_BYTES:
                    self._keep(place, answer)
            await send(message)

        return keeping

    def _keep(self, place: tuple[str, str], answer: Answer) -> None:
        self._answers[place] = answer
        self._answers.move_to_end(place)
        while len(self._answers) > MAX_ANSWERS:
            self._answers.popitem(last=False)


def _key_of(scope: Scope) -> str | None:
    """Return the API key of a plain read of ours; None where the route has to look."""
    if scope["type"] != "http" or scope["method"] != "GET" or scope["query_string"]:
        return None
    if not scope["path"].startswith(LIST):
        return None
    found: list[tuple[bytes, bytes]] = []
    for name, value in scope["headers"]:
        if name in _BODY:
            return None
        if name in _CREDENTIALS:
            found.append((name, value))
    if len(found) != 1 or found[0][0] != b"x-api-key":
        return None
    return found[0][1].decode("latin-1")


def _same(one: Basis, other: Basis) -> bool:
    return len(one) == len(other) and all(map(is_, one, other))
