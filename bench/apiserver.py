"""What the API server counted, and how fast it takes writes."""

from __future__ import annotations

import asyncio
import re
import ssl
import time
from collections import Counter
from typing import Any, Self

import aiohttp
import orjson
import yaml

from bench.plane import Plane
from hydracore_devcluster.layout import find_project

WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE", "APPLY"})
CONNECTIONS = 32
SERVED_SECONDS = 30.0
_LINE = re.compile(r"^apiserver_request_total\{(.*)\} ([0-9.e+]+)$", re.MULTILINE)
_LABEL = re.compile(r'(\w+)="([^"]*)"')


class Raw:
    """Bare requests to the API server over a bounded pool: no retries, no models."""

    def __init__(self, plane: Plane, connections: int = CONNECTIONS) -> None:
        config = yaml.safe_load(plane.dev.admin_kubeconfig.read_text())
        token = config["users"][0]["user"]["token"]
        context = ssl.create_default_context(cafile=None)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        self.session = aiohttp.ClientSession(
            plane.dev.server,
            connector=aiohttp.TCPConnector(limit=connections, ssl=context),
            headers={"Authorization": f"Bearer {token}", "Accept": "application/json"},
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self.session.close()

    async def get(self, path: str) -> bytes:
        """Read."""
        async with self.session.get(path) as answer:
            data = await answer.read()
            answer.raise_for_status()
            return data

    async def send(self, method: str, path: str, body: Any) -> bytes:
        """Write; a refusal is a RuntimeError with what the server said."""
        kind = "merge-patch+json" if method == "PATCH" else "json"
        headers = {"Content-Type": f"application/{kind}"}
        data = orjson.dumps(body)
        async with self.session.request(method, path, data=data, headers=headers) as answer:
            found = await answer.read()
            if answer.status >= 400:
                raise RuntimeError(f"{method} {path}: {answer.status} {found[:500]!r}")
            return found


async def requests(raw: Raw) -> Counter[tuple[str, str]]:
    """Return ``apiserver_request_total`` of answered writes by (resource, verb)."""
    found: Counter[tuple[str, str]] = Counter()
    for labels, value in _LINE.findall((await raw.get("/metrics")).decode()):
        label = dict(_LABEL.findall(labels))
        if label["verb"] in WRITES:
            found[label["resource"], label["verb"]] += int(float(value))
    return found


class WriteRate:
    """W: status merge patches a second over 32 connections, by a bare client.

    The objects are of a kind that nobody watches and that has the schema of RolloutTargets, so
    that they weigh what a rollout's own writes weigh.
    """

    NAMESPACE = "bench-writes"
    GROUP = "bench.hydracore.io"
    KIND = "BenchWrite"
    PLURAL = "benchwrites"
    ROOT = f"/apis/{GROUP}/v1alpha1/namespaces/{NAMESPACE}/{PLURAL}"

    def __init__(self, raw: Raw, objects: int) -> None:
        self._raw = raw
        self._names = [f"target-{number:05d}" for number in range(objects)]
        self._round = 0
        self.rates: list[float] = []

    async def prepare(self) -> None:
        """Create the objects."""
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.NAMESPACE}}
        await self._raw.send("POST", "/api/v1/namespaces", body)
        await self._define()
        await self._each(lambda name: self._raw.send("POST", self.ROOT, _target(name)))

    async def measure(self) -> float:
        """Patch every object's status once; return the rate."""
        self._round += 1
        body = {"status": _status(self._round)}
        began = time.perf_counter()
        await self._each(lambda name: self._raw.send("PATCH", f"{self.ROOT}/{name}/status", body))
        rate = len(self._names) / (time.perf_counter() - began)
        self.rates.append(rate)
        return rate

    async def _define(self) -> None:
        """Create the kind, and wait until the API server serves it."""
        source = find_project().crds / "rollouttargets.yaml"
        found = yaml.safe_load(source.read_text())
        found["metadata"] = {"name": f"{self.PLURAL}.{self.GROUP}"}
        found["spec"]["group"] = self.GROUP
        names = {"kind": self.KIND, "listKind": f"{self.KIND}List", "plural": self.PLURAL}
        found["spec"]["names"] = {**names, "singular": self.KIND.lower()}
        await self._raw.send(
            "POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", found
        )
        deadline = time.monotonic() + SERVED_SECONDS
        while True:
            try:
                await self._raw.get(self.ROOT)
            except aiohttp.ClientResponseError:
                if time.monotonic() > deadline:
                    raise
                await asyncio.sleep(0.1)
            else:
                return

    async def _each(self, job: Any) -> None:
        names = iter(self._names)

        async def worker() -> None:
            for name in names:
                await job(name)

        await asyncio.gather(*(worker() for _ in range(CONNECTIONS)))


def _target(name: str) -> dict[str, Any]:
    return {
        "apiVersion": f"{WriteRate.GROUP}/v1alpha1",
        "kind": WriteRate.KIND,
        "metadata": {"name": name, "labels": {"hydracore.io/rollout": "bench"}},
        "spec": {
            "rolloutName": "bench",
            "instanceName": name,
            "instanceId": "00000000-0000-4000-8000-000000000000",
            "bundleHash": "0" * 64,
            "order": 1,
        },
    }


def _status(number: int) -> dict[str, Any]:
    return {
        "state": "in_progress",
        "attempt": 1,
        "hostname": f"host-{number}",
        "taskId": f"00000000-0000-4000-8000-{number:012d}",
        "startedAt": "2030-01-01T00:00:00.000Z",
        "conditions": [
            {
                "type": "Succeeded",
                "status": "Unknown",
                "reason": "Running",
                "message": f"attempt {number} has a slot; the agent may switch until its deadline",
                "lastTransitionTime": "2030-01-01T00:00:00.000Z",
                "observedGeneration": 1,
            }
        ],
    }
