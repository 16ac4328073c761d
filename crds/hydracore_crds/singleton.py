"""Kinds of which one object counts, known by its name."""

from __future__ import annotations

from hydracore_crds.base import Rule


def only(name: str, kind: str, scope: str) -> Rule:
    """Build the rule that lets a kind's objects have no other name.

    Args:
        name: The name that counts.
        kind: The kind with its article, for the refusal, such as ``a PlatformPolicy``.
        scope: What there is one for, such as ``each tenant``.
    """
    return Rule(
        f"self.metadata.name == '{name}'",
        f"{kind} must be named '{name}': there is one for {scope}",
    )
