"""Plugins of a release: each ``plugins/*.py`` adds a capability and may add offline skills.

A plugin has ``NAME: str`` and ``register(registry)``. What goes wrong while one is loaded ends the
start of the agent: a release is good as a whole or not at all.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

from hydracore_agent.errors import AgentError

MAX_NAME = 64


class PluginError(AgentError):
    """A plugin lacks what a plugin must have."""


@dataclass(frozen=True, slots=True)
class Skill:
    """Something that the offline model can do.

    Attributes:
        name: The plugin's name.
        description: One line for people.
        matches: Whether a message is for this skill.
        answer: Answers the message; may block.
    """

    name: str
    description: str
    matches: Callable[[str], bool]
    answer: Callable[[str], str]


@dataclass(slots=True)
class Registry:
    """Handed to ``register`` of one plugin."""

    name: str
    skills: list[Skill] = field(default_factory=list)

    def add_skill(
        self,
        *,
        description: str,
        matches: Callable[[str], bool],
        answer: Callable[[str], str],
    ) -> None:
        """Add a skill of the offline chat model."""
        self.skills.append(Skill(self.name, description, matches, answer))


@dataclass(frozen=True, slots=True)
class Plugin:
    """A loaded plugin."""

    name: str
    skills: tuple[Skill, ...]


def load_plugins(folder: Path) -> tuple[Plugin, ...]:
    """Load all plugins of a folder, in the order of their file names.

    Raises:
        PluginError: a plugin lacks NAME or register, or two have the same name.
        Exception: whatever a plugin raises.
    """
    plugins: dict[str, Plugin] = {}
    for path in sorted(folder.glob("*.py")):
        plugin = _load(path)
        if plugin.name in plugins:
            raise PluginError(
                f"two plugins have the NAME {plugin.name!r}; the second is {path.name}"
            )
        plugins[plugin.name] = plugin
    return tuple(plugins.values())


def _load(path: Path) -> Plugin:
    spec = importlib.util.spec_from_file_location(f"hydracore_plugin_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise PluginError(f"plugin {path.name} cannot be loaded")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    registry = Registry(_name(module, path))
    register = getattr(module, "register", None)
    if not callable(register):
        raise PluginError(f"plugin {path.name} must define register(registry)")
    register(registry)
    return Plugin(registry.name, tuple(registry.skills))


def _name(module: ModuleType, path: Path) -> str:
    name = getattr(module, "NAME", None)
    if not isinstance(name, str) or not 1 <= len(name) <= MAX_NAME:
        raise PluginError(f"plugin {path.name} must define NAME: 1 to {MAX_NAME} characters")
    return name
