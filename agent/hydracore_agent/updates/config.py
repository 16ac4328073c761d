"""What the agent is told about itself and whom it serves; changed by ``apply-updates``.

At first it is what user-data.json says. What was applied later lies in ``state/config.json`` and
counts from then on, also after restarts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from hydracore_agent.errors import StateError
from hydracore_agent.fields import FieldError, Fields
from hydracore_agent.files import read_json, write_json

MAX_SLUGS = 64
_NAMES = {
    "agent_name": "agentName",
    "user_display_name": "userDisplayName",
    "customer_id": "customerId",
    "preset_id": "presetId",
    "manifest_id": "manifestId",
    "recipe_id": "recipeId",
    "website_template_slug": "websiteTemplateSlug",
}


@dataclass(frozen=True, slots=True)
class AgentConfig:
    """One configuration; empty texts mean that nothing was said."""

    agent_name: str
    user_display_name: str = ""
    customer_id: str = ""
    preset_id: str = ""
    manifest_id: str = ""
    recipe_id: str = ""
    website_template_slug: str = ""
    workflow_slugs: tuple[str, ...] = ()

    def changes(self, other: AgentConfig) -> list[str]:
        """Return the wire names of the fields in which the other differs."""
        names = [one.name for one in fields(self)]
        changed = [name for name in names if getattr(self, name) != getattr(other, name)]
        return [_NAMES.get(name, "workflowSlugs") for name in changed]

    def to_json(self) -> dict[str, Any]:
        """Return the wire form."""
        found = asdict(self)
        named = {wire: found[name] for name, wire in _NAMES.items()}
        return {**named, "workflowSlugs": list(self.workflow_slugs)}


def read_config(fields_: Fields) -> AgentConfig:
    """Return the configuration of a wire form; absent and null fields are empty.

    Raises:
        FieldError: a field has the wrong type or is too long.
    """
    data = fields_.raw()
    texts = {
        name: fields_.text(wire, longest=256) if data.get(wire) else ""
        for name, wire in _NAMES.items()
    }
    if not texts["agent_name"]:
        raise FieldError("config.agentName is missing")
    items = fields_.items("workflowSlugs", most=MAX_SLUGS) if data.get("workflowSlugs") else []
    if not all(isinstance(item, str) and 1 <= len(item) <= 256 for item in items):  # noqa: PLR2004
        raise FieldError("config.workflowSlugs must be a list of strings")
    return AgentConfig(**texts, workflow_slugs=tuple(items))


class ConfigStore:
    """The configuration in force."""

    def __init__(self, path: Path, current: AgentConfig) -> None:
        self._path = path
        self._current = current

    @classmethod
    def load(cls, path: Path, first: AgentConfig) -> ConfigStore:
        """Return what was applied last, or the first configuration.

        Raises:
            StateError: the file is damaged.
            OSError: it cannot be read.
        """
        try:
            data = read_json(path)
            current = first if data is None else read_config(Fields(data, path.name))
        except ValueError as error:
            raise StateError(
                f"{path} is damaged ({error}): remove it, and apply updates again"
            ) from error
        return cls(path, current)

    @property
    def current(self) -> AgentConfig:
        """What counts now."""
        return self._current

    def apply(self, wanted: AgentConfig, *, force: bool) -> list[str]:
        """Put a configuration in force; return the wire names of what was applied.

        Args:
            wanted: The configuration.
            force: Write and count also what is current.

        Raises:
            OSError: it could not be written; the former one stays in force.
        """
        applied = sorted(wanted.to_json()) if force else self._current.changes(wanted)
        if applied:
            write_json(self._path, wanted.to_json())
            self._current = wanted
        return applied


def first_config(agent_name: str, profile: Mapping[str, Any]) -> AgentConfig:
    """Return the configuration of user-data.json.

    Raises:
        FieldError: a field has the wrong type or is too long.
    """
    return read_config(Fields({**profile, "agentName": agent_name}, "user-data.profile"))
