"""A bare asyncio loop: a semaphore, aiohttp, the order protocol, nothing else.

It writes nothing anywhere and forgets everything when it dies: the floor of what pushing costs.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any
from uuid import uuid4

import aiohttp
import uvloop

from bench.peers import leading
from bench.peers.job import Agent, Job
from bench.peers.orders import REQUEST_SECONDS, Orders, Question, final, succeeded
from hydracore_agentclient.proof import PROOF_HEADER


class BareLoop:
    """One rollout."""

    def __init__(self, job: Job, http: aiohttp.ClientSession) -> None:
        self._job = job
        self._http = http
        self._orders = Orders(job)
        self._slots = asyncio.Semaphore(job.limit)

    async def run(self) -> None:
        """Push to every agent; RuntimeError unless all of them run it then."""
        good = await asyncio.gather(*(self._push(agent) for agent in self._job.agents))
        if not all(good):
            raise RuntimeError(f"{good.count(False)} of {len(good)} agents do not run it")

    async def _push(self, agent: Agent) -> bool:
        async with self._slots:
            task_id = str(uuid4())
            report = await self._ask(self._orders.order(agent, task_id, self._job.bundle))
            while not final(report):
                await asyncio.sleep(self._job.ask_seconds)
                report = await self._ask(self._orders.task(agent, task_id))
            return succeeded(report, self._job.bundle)

    async def _ask(self, question: Question) -> dict[str, Any]:
        async with self._http.request(
            question.method, question.url, headers=question.headers, data=question.body
        ) as answer:
            data = await answer.read()
            proof = answer.headers.get(PROOF_HEADER)
            return self._orders.read(question, answer.status, proof, data)


async def main() -> None:
    """Play the part of the leading process."""
    job = Job.read(sys.argv[1])
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0),
        timeout=aiohttp.ClientTimeout(total=REQUEST_SECONDS),
    ) as http:
        loop = BareLoop(job, http)
        leading.say(leading.READY)
        if await asyncio.to_thread(leading.heard, leading.GO):
            await loop.run()
            leading.say(leading.DONE)
            await asyncio.to_thread(leading.wait_for_the_end)


if __name__ == "__main__":
    uvloop.run(main())
