"""What the tests of the packaging read out of manifests."""

from __future__ import annotations

import copy
import json
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

JSON = dict[str, Any]

VALUES: JSON = {
    "agentApiUrl": "https://agents.example.org",
    "database": {"existingSecret": "my-database"},
    "keys": {"existingSecret": "my-keys"},
    "artifacts": {"existingClaim": "my-artifacts"},
}
"""The least that the chart wants."""

SERVICES = ("operator", "api")


@dataclass(frozen=True)
class Tool:
    """A program that reads stdin and answers."""

    path: Path
    env: Mapping[str, str]
    cwd: Path

    def __call__(
        self, *args: str, said: str | None = None, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [str(self.path), *args],
            input=said,
            capture_output=True,
            text=True,
            timeout=60,
            cwd=self.cwd,
            env=dict(self.env),
            check=False,
        )
        if check:
            said_back = f"{done.stdout}\n{done.stderr}"
            assert done.returncode == 0, f"{self.path.name} {' '.join(args)}: {said_back}"
        return done


def load(text: str) -> list[JSON]:
    return [d for d in yaml.safe_load_all(text) if d]


def dump(documents: Iterable[JSON]) -> str:
    return yaml.safe_dump_all(documents, sort_keys=False)


def without_definitions(documents: Iterable[JSON]) -> list[JSON]:
    return [d for d in documents if d["kind"] != "CustomResourceDefinition"]


S3 = json.dumps(
    {
        "existingClaim": "",
        "s3": {
            "url": "s3://my-bucket/hydracore",
            "endpoint": "https://account.r2.example.com",
            "region": "auto",
            "existingSecret": "my-bucket",
            "apiExistingSecret": "my-bucket-read",
            "signedUrls": True,
        },
    }
)
"""The chart's `artifacts` for a bucket."""


def only(documents: Iterable[JSON], kind: str, suffix: str = "") -> JSON:
    """Return the one object of a kind whose name ends so."""
    found = [d for d in documents if d["kind"] == kind and d["metadata"]["name"].endswith(suffix)]
    assert len(found) == 1, f"{kind} *{suffix}: {[d['metadata']['name'] for d in found]}"
    return found[0]


def pod_spec(document: JSON) -> JSON | None:
    """Return the spec of the pods that an object makes."""
    if document["kind"] == "Pod":
        return copy.deepcopy(dict(document["spec"]))
    template = document.get("spec", {}).get("template")
    return dict(copy.deepcopy(template["spec"])) if template else None


def pods(documents: Iterable[JSON]) -> dict[str, JSON]:
    """Return every pod as an object of its own, by the name of what makes it."""
    found = {}
    for document in documents:
        spec = pod_spec(document)
        if spec is None:
            continue
        name = document["metadata"]["name"]
        # A set's claims are made by its controller; here any volume does.
        claims = document["spec"].get("volumeClaimTemplates", [])
        volumes = [{"name": c["metadata"]["name"], "emptyDir": {}} for c in claims]
        spec["volumes"] = [*spec.get("volumes", []), *volumes]
        metadata = {"name": name}
        found[name] = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
    return found


def service_container(documents: Iterable[JSON], service: str) -> JSON:
    """Return the container of operator or API."""
    deployment = only(documents, "Deployment", f"-{service}")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert container["name"] == service
    return dict(container)


def environment(documents: list[JSON], service: str) -> dict[str, str | None]:
    """Return the variables of operator or API; None for values out of Secrets."""
    container = service_container(documents, service)
    found: dict[str, str | None] = {}
    for source in container["envFrom"]:
        found |= only(documents, "ConfigMap", source["configMapRef"]["name"])["data"]
    for variable in container["env"]:
        assert ("value" in variable) != ("secretKeyRef" in variable.get("valueFrom", {}))
        found[variable["name"]] = variable.get("value")
    return found
