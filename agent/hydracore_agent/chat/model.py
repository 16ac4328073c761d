"""The model that answers when no other can: it is offline, and says so."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Callable, Sequence

from hydracore_agent.chat.conversations import Message
from hydracore_agent.health.result import HEALTHY, CheckResult
from hydracore_agent.plugins import Skill
from hydracore_agent.updates.config import AgentConfig

log = logging.getLogger(__name__)

SKILL_SECONDS = 5.0
MAX_ANSWER = 8000
WORD = re.compile(r"\S+\s*|\s+")


class OfflineModel:
    """Answers with the skills of the release's plugins and never pretends to be more."""

    name = "offline"
    offline = True

    def __init__(
        self,
        config: Callable[[], AgentConfig],
        skills: Sequence[Skill],
        *,
        configured: bool = False,
    ) -> None:
        """Take the configuration in force, skills, and whether a language model is configured."""
        self._config = config
        self._skills = skills
        self._configured = configured

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
        config = self._config()
        user = config.user_display_name
        greeting = f"Hello {user}. " if user and not history else ""
        why = "no language model is configured for this server"
        if self._configured:
            why = "no configured language model can be reached now"
        asked = sum(1 for entry in history if entry.role == "user")
        earlier = f" This conversation has {asked} earlier messages of yours." if asked else ""
        return (
            f"{greeting}I am {config.agent_name}. I am offline: {why}, so I cannot reason about "
            f"your message of {len(message)} characters; it is stored in this conversation."
            f"{earlier} {self._offer()}"
        )

    def _offer(self) -> str:
        if not self._skills:
            return "This release has no skills that work without a model."
        lines = "; ".join(f"{skill.name}: {skill.description}" for skill in self._skills)
        return f"Without a model I can do this: {lines}."
