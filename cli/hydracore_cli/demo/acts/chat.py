"""Chatting with one agent by REST."""

from __future__ import annotations

from hydracore_cli.demo.labels import label_of
from hydracore_cli.demo.scene import Scene
from hydracore_crds import Instance

QUESTION = "What is 6 * 7?"


async def play(scene: Scene) -> None:
    """Ask the first agent something that it cannot know yet."""
    scene.reporter.heading("A chat with one of them, by REST")
    instance = (await scene.instances())[0]
    answer, done = await ask(scene, instance)
    scene.check(
        "the agent answers over server-sent events",
        holds=bool(answer.strip()) and bool(done.get("conversation_id")),
        found=f"model {done.get('model')}, {len(answer)} characters",
    )


async def ask(scene: Scene, instance: Instance) -> tuple[str, dict[str, object]]:
    """Ask the question, show question and answer, and return the answer and the last event."""
    answer, done = await scene.rest.chat(str(instance.spec.id), QUESTION)
    scene.reporter.line(f"  you  {QUESTION}")
    scene.reporter.line(f"  {label_of(instance)}  {answer.strip()}")
    return answer, done
