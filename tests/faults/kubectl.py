"""The real kubectl on this folder's control plane, without stopping the agents in this process."""

from __future__ import annotations

import asyncio
import os
import subprocess
from typing import Any

import pytest
import yaml

from tests.faults.plane import Plane

SECONDS = 30.0


class Kubectl:
    """kubectl in one tenant's namespace."""

    def __init__(self, plane: Plane, namespace: str) -> None:
        self._namespace = namespace
        self._argv = [str(plane.dev.kubectl), f"--kubeconfig={plane.dev.admin_kubeconfig}"]
        self._env = {"PATH": os.defpath, "HOME": str(plane.layout.root)}

    async def try_(
        self, *arguments: str, manifest: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run it and return how it ended."""
        return await asyncio.to_thread(
            subprocess.run,
            [*self._argv, "-n", self._namespace, *arguments],
            input=manifest,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            env=self._env,
            check=False,
        )

    async def __call__(self, *arguments: str, manifest: str | None = None) -> str:
        """Run it and return what it printed; fail with what it said where it fails."""
        done = await self.try_(*arguments, manifest=manifest)
        if done.returncode != 0:
            pytest.fail(f"kubectl {' '.join(arguments)}: {done.stderr}")
        return done.stdout

    async def apply(self, kind: str, name: str, spec: dict[str, Any]) -> None:
        """Apply a manifest of one of our kinds."""
        manifest = {
            "apiVersion": "hydracore.io/v1alpha1",
            "kind": kind,
            "metadata": {"name": name},
            "spec": spec,
        }
        await self("apply", "-f", "-", manifest=yaml.safe_dump(manifest))
