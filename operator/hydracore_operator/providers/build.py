"""The providers that the operator's settings describe."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from hydracore_operator.providers.base import Provider
from hydracore_operator.providers.local import LocalProvider
from hydracore_operator.providers.registry import Providers
from hydracore_operator.settings import OperatorSettings


def build_providers(settings: OperatorSettings, now: Callable[[], datetime]) -> Providers:
    """Return every provider that has its settings.

    Args:
        settings: ``local_provider_dir`` switches the local provider on.
        now: The clock.
    """
    found: dict[str, Provider] = {}
    if settings.local_provider_dir is not None:
        found["local"] = LocalProvider(settings.local_provider_dir, now=now)
    return Providers(found)
