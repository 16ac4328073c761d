"""The world of the action reconciler's tests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.operator.actions.stand import Stand, make_stand


@pytest.fixture
async def stand(
    operator_kubeconfig: str, admin_kubeconfig: str, namespace: str, tmp_path: Path
) -> AsyncIterator[Stand]:
    """A tenant with one running Instance."""
    async with make_stand(operator_kubeconfig, admin_kubeconfig, namespace, tmp_path) as made:
        yield made
