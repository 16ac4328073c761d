"""How servers and agents prove who they are: the bootstrap token, then the agent key."""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from typing import Annotated

from fastapi import Depends, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from hydracore_api.errors import Forbidden, Unauthenticated
from hydracore_api.services import AnyServices
from hydracore_history import Credential

TOKEN_PREFIX = "hcb_"  # noqa: S105  # a prefix, no secret
KEY_PREFIX = "hca_"
_FORM = re.compile(r"hc[ab]_[A-Za-z0-9_-]{43}")
_bearer = HTTPBearer(
    auto_error=False,
    scheme_name="AgentBearer",
    description="A server's bootstrap token (hcb_…) or an agent's key (hca_…).",
)
_Bearer = Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)]


def hash_token(text: str) -> str:
    """Return what is stored of a token or key: its SHA-256, hex. Both have 256 random bits."""
    return hashlib.sha256(text.encode()).hexdigest()


def generate_agent_key() -> str:
    """Return a new agent key."""
    return KEY_PREFIX + base64.urlsafe_b64encode(secrets.token_bytes(32)).rstrip(b"=").decode()


def same_instance(credential: Credential, instance_id: str) -> None:
    """See that a caller speaks of itself.

    Raises:
        Forbidden: It names another instance.
    """
    if credential.instance_id != instance_id:
        raise Forbidden("These credentials are another instance's")


async def by_token(services: AnyServices, bearer: _Bearer) -> Credential:
    """Return whose bootstrap token was sent.

    Raises:
        Unauthenticated: None, an unknown one, or one that has ended.
    """
    found = None
    if _has(bearer, TOKEN_PREFIX):
        found = await services.history.credentials.by_token_hash(_hash(bearer))
    if found is None:
        raise Unauthenticated("The bootstrap token is missing, unknown or ended")
    return found


async def by_key(services: AnyServices, bearer: _Bearer) -> Credential:
    """Return whose agent key was sent.

    Raises:
        Unauthenticated: None, or an unknown one.
    """
    found = None
    if _has(bearer, KEY_PREFIX):
        found = await services.history.credentials.by_key_hash(_hash(bearer))
    if found is None:
        raise Unauthenticated("The agent key is missing or unknown")
    return found


async def by_either(services: AnyServices, bearer: _Bearer) -> Credential:
    """Return whose bootstrap token or agent key was sent.

    Raises:
        Unauthenticated: Neither, or an unknown one.
    """
    if _has(bearer, KEY_PREFIX):
        return await by_key(services, bearer)
    return await by_token(services, bearer)


def _has(bearer: HTTPAuthorizationCredentials | None, prefix: str) -> bool:
    return (
        bearer is not None
        and bearer.credentials.startswith(prefix)
        and _FORM.fullmatch(bearer.credentials) is not None
    )


def _hash(bearer: HTTPAuthorizationCredentials | None) -> str:
    return hash_token(bearer.credentials) if bearer is not None else ""


ByToken = Annotated[Credential, Depends(by_token)]
ByKey = Annotated[Credential, Depends(by_key)]
ByEither = Annotated[Credential, Depends(by_either)]
