"""The providers of this operator, by the name that InstanceClasses use."""

from __future__ import annotations

from collections.abc import Mapping

from hydracore_operator.providers.base import Provider
from hydracore_operator.providers.errors import AuthError


class Providers:
    """A fixed set of providers, built at start from the settings."""

    def __init__(self, providers: Mapping[str, Provider]) -> None:
        self._providers = dict(providers)

    def all(self) -> list[Provider]:
        """Return every provider, by name."""
        return [self._providers[name] for name in sorted(self._providers)]

    def get(self, name: str) -> Provider:
        """Return the provider of this name.

        Raises:
            AuthError: the operator has no settings for it.
        """
        found = self._providers.get(name)
        if found is None:
            known = ", ".join(sorted(self._providers)) or "none"
            raise AuthError(f"the operator has no provider {name!r} (it has: {known})")
        return found
