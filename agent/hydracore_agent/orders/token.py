"""Reading an order: the JWT that the control plane signs for one instance and one task."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime

from hydracore_agent.fields import FieldError, Fields
from hydracore_agent.settings import BundleRef
from hydracore_agent.tokens import Expected, TokenError, verify_token
from hydracore_agent.trust import Keys

TYP = "hc-order+jwt"
INSTALL = "install"
MAX_EPOCH = 2**53
CLAIMS = (
    "jti", "epoch", "kind", "slug", "version", "sha256", "sizeBytes", "keyId", "signature", "url",
    "force",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Order:
    """An order whose signature, audience and form are right.

    Attributes:
        task_id: UUID of one attempt.
        epoch: Which leader sent it.
        not_after: Unix seconds.
        bundle: What to install.
        url: Where to fetch it.
        force: Install also where the digest already runs.
    """

    task_id: str
    epoch: int
    not_after: int
    bundle: BundleRef
    url: str
    force: bool


def read_order(token: object, instance_id: str, keys: Keys, now: datetime) -> Order:
    """Return the order.

    Raises:
        TokenError: the token does not count, or a claim is missing or wrong.
    """
    if not isinstance(token, str):
        raise TokenError('the body must be {"order": "<JWT>"}')
    claims = verify_token(token, Expected(TYP, instance_id, CLAIMS), keys, now)
    fields = Fields(claims, "order")
    try:
        if fields.text("kind") != INSTALL:
            raise TokenError(f"the order's kind must be {INSTALL}")
        return Order(
            task_id=read_task_id(fields.text("jti")),
            epoch=fields.integer("epoch", 0, MAX_EPOCH),
            not_after=fields.integer("exp", 0, MAX_EPOCH),
            bundle=BundleRef.read(fields),
            url=fields.url("url"),
            force=fields.flag("force"),
        )
    except FieldError as error:
        raise TokenError(str(error)) from error


def read_task_id(text: str) -> str:
    """Return a task id in its one form.

    Raises:
        FieldError: it is not a UUID.
    """
    try:
        return str(uuid.UUID(text))
    except ValueError:
        raise FieldError("order.jti must be a UUID") from None
