"""An installation is done once Rollouts can be made, not before."""

from __future__ import annotations

from typing import Any, cast

import pytest

from hydracore_devcluster.client import Api, ApiError, ApiUnreachableError
from hydracore_devcluster.errors import InstallFailedError
from hydracore_devcluster.stamping import await_stamping

LATE = ApiError(503, "Resource kind hydracore.io/v1alpha1, Kind=Rollout not found.")
INVALID = ApiError(422, "spec.bundleName: Required value")


class Server:
    """Answers with one fault after the other, the last of them for good."""

    def __init__(self, *faults: Exception) -> None:
        self._faults = list(faults)
        self.asked: list[str] = []

    async def json(self, _method: str, path: str, _body: Any) -> Any:
        self.asked.append(path)
        raise self._faults.pop(0) if len(self._faults) > 1 else self._faults[0]

    def api(self) -> Api:
        return cast("Api", self)


async def test_it_waits_while_the_kind_is_not_known() -> None:
    server = Server(LATE, LATE, INVALID)
    await await_stamping(server.api(), "hydracore-system", seconds=30)
    assert len(server.asked) == 3
    assert all(path.endswith("?dryRun=All") for path in server.asked)


@pytest.mark.parametrize(
    ("fault", "why"), [(LATE, "no Rollout could be made"), (ApiUnreachableError("away"), "away")]
)
async def test_what_does_not_come_is_told(fault: Exception, why: str) -> None:
    with pytest.raises(InstallFailedError, match=why):
        await await_stamping(Server(fault).api(), "hydracore-system", seconds=0)
