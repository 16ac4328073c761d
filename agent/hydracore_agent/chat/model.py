"""Who answers: without a configured endpoint, an offline model that says so."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from hydracore_agent.chat.conversations import Message
from hydracore_agent.health.result import HEALTHY, CheckResult
from hydracore_agent.plugins import Skill

log = logging.getLogger(__name__)

SKILL_SECONDS = 5.0
MAX_ANSWER = 8000
WORD = re.compile(r"\S+\s*|\s+")


class Model(Protocol):
    """Answers messages."""

    @property
    def name(self) -> str:
        """What the ``done`` event calls it."""

    @property
    def offline(self) -> bool:
        """Whether no language model is behind it."""

    def answer(self, history: Sequence[Message], message: str) -> AsyncIterator[str]:
        """Yield the answer in pieces."""

    def check(self) -> CheckResult:
        """Return whether it can answer."""


class OfflineModel:
    """Answers with the skills of the release's plugins and never pretends to be more."""

    name = "offline"
    offline = True

    def __init__(self, agent_name: str, user_name: str, skills: Sequence[Skill]) -> None:
        self._agent_name = agent_name
        self._user_name = user_name
        self._skills = skills

    async def answer(self, history: Sequence[Message], message: str) -> AsyncIterator[str]:
        """Yield the answer word by word."""
        skill = self._find(message)
        if skill is None:
            text = self._introduce(history, message)
        else:
            text = f"I am offline, but my skill {skill.name} can answer: "
            text += await self._use(skill, message)
        for word in WORD.findall(text[:MAX_ANSWER]):
            yield word
            await asyncio.sleep(0)

    def check(self) -> CheckResult:
        """Return that it is there; it needs nothing but this process."""
        names = ", ".join(sorted({skill.name for skill in self._skills})) or "none"
        return CheckResult(HEALTHY, f"offline model, skills: {names}")

    def _find(self, message: str) -> Skill | None:
        for skill in self._skills:
            try:
                if skill.matches(message):
                    return skill
            except Exception:
                log.exception("skill %s could not look at a message", skill.name)
        return None

    async def _use(self, skill: Skill, message: str) -> str:
        try:
            async with asyncio.timeout(SKILL_SECONDS):
                return str(await asyncio.to_thread(skill.answer, message))
        except TimeoutError:
            return f"it took longer than {SKILL_SECONDS:g} s, so I gave up."
        except Exception as error:
            log.exception("skill %s failed", skill.name)
            return f"it failed with {type(error).__name__}."

    def _introduce(self, history: Sequence[Message], message: str) -> str:
        greeting = f"Hello {self._user_name}. " if self._user_name and not history else ""
        asked = sum(1 for entry in history if entry.role == "user")
        earlier = f" This conversation has {asked} earlier messages of yours." if asked else ""
        return (
            f"{greeting}I am {self._agent_name}. I am offline: no language model is configured "
            f"for this server, so I cannot reason about your message of {len(message)} "
            f"characters; it is stored in this conversation.{earlier} {self._offer()}"
        )

    def _offer(self) -> str:
        if not self._skills:
            return "This release has no skills that work without a model."
        lines = "; ".join(f"{skill.name}: {skill.description}" for skill in self._skills)
        return f"Without a model I can do this: {lines}."
