"""Who a request comes from, once that is proved."""

from __future__ import annotations

from dataclasses import dataclass

from hydracore_history import ApiKey


@dataclass(frozen=True, slots=True)
class Principal:
    """A caller of ``/v1``.

    Attributes:
        key: The API key's record.
        ip: The caller's address; of the nearest proxy that is not trusted, where there are some.
    """

    key: ApiKey
    ip: str

    @property
    def tenant_id(self) -> str:
        """The tenant that the caller acts in."""
        return self.key.tenant_id

    @property
    def namespace(self) -> str:
        """The tenant's namespace."""
        return self.key.namespace

    @property
    def id(self) -> str:
        """What the caller is called in logs."""
        return self.key.id

    @property
    def admin(self) -> bool:
        """Whether the caller passes the admin routes."""
        return self.key.admin

    @property
    def tenant_wide(self) -> bool:
        """Whether the caller may override the maintenance window."""
        return self.key.tenant_wide

    @property
    def actor(self) -> str:
        """Who it is, for ``initiatedBy`` and annotations (at most 253 characters)."""
        return f"api-key {self.key.name[:180]} ({self.key.id})"

    def may(self, scope: str) -> bool:
        """Whether the key carries a scope, or its resource's ``*``."""
        return may(self.key, scope)


def may(key: ApiKey, scope: str) -> bool:
    """Whether a key carries a scope, or its resource's ``*``."""
    resource = scope.partition(":")[0]
    return scope in key.scopes or f"{resource}:*" in key.scopes
