"""The first boot, and being killed in it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import httpx
import pytest

from hydracore_agent.bootstrap.first import FirstBoot, InstallError
from hydracore_agent.bootstrap.stages import Stages
from hydracore_agent.controlplane import RefusedError
from hydracore_agent.orders.download import Downloader
from hydracore_agent.orders.manifest import Host
from hydracore_agent.orders.releases import Releases
from hydracore_agent.orders.steps import Installer
from hydracore_agent.settings import Tuning
from hydracore_agent.trust import read_bundle_keys
from tests.agent.support.api import Api
from tests.agent.support.bundles import digest, small_bundle
from tests.agent.support.world import user_data

CONTENT = small_bundle(version="1.0.0")


async def streamed(content: bytes) -> AsyncIterator[bytes]:
    yield content


class Bench:
    def __init__(self, world) -> None:
        self.world, self.api = world, Api()
        self.host: object = CONTENT
        self.tokens: list[str] = []
        signer, sha256 = world.signer, digest(CONTENT)
        runtime = {
            "slug": "expressclaw", "version": "1.0.0", "sha256": sha256,
            "sizeBytes": len(CONTENT), "keyId": signer.bundle_key_id,
            "signature": signer.sign_digest(sha256),
        }  # fmt: skip
        world.layout.user_data.write_text(json.dumps(user_data(signer, runtime=runtime)))

    def connect(self, _url: str) -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=httpx.MockTransport(self.answer))

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.tokens.append(request.headers["authorization"])
        if isinstance(self.host, int):
            return httpx.Response(self.host)
        assert isinstance(self.host, bytes)
        return httpx.Response(200, content=streamed(self.host))

    async def boot(self) -> None:
        world, plane = self.world, self.api.control_plane()
        keys = read_bundle_keys(world.signer.bundle_keys())
        installer = Installer(Downloader(self.connect, Tuning()), lambda: keys, Host.here())
        stages = Stages(world.layout.boot, plane, "hcb_token")
        await FirstBoot(
            world.layout, world.settings(), plane, stages, installer, lambda: datetime.now(UTC)
        ).run()

    def stages(self) -> list[str]:
        return [body["stage"] for name, _, body in self.api.calls if name == "bootstrap"]


@pytest.fixture
def bench(world) -> Bench:
    return Bench(world)


async def test_from_nothing_to_an_installed_release(bench, world) -> None:
    await bench.boot()
    assert bench.stages() == ["booting", "cloud_init", "agent_enrolled", "bundle_installed"]
    assert bench.tokens == ["Bearer hca_new"]
    assert Releases(world.layout).current().sha256 == digest(CONTENT)
    assert (world.layout.release(digest(CONTENT)) / "manifest.json").exists()
    assert list(world.layout.incoming.iterdir()) == []
    assert world.events() == ["installed"]


async def test_done_steps_are_not_repeated(bench) -> None:
    await bench.boot()
    calls = len(bench.api.calls)
    await bench.boot()
    assert len(bench.api.calls) == calls
    assert len(bench.tokens) == 1


async def test_continues_after_the_enrolment(bench) -> None:
    bench.host = 404
    with pytest.raises(InstallError, match="refuses the bundle with status 404"):
        await bench.boot()
    bench.host = CONTENT
    await bench.boot()
    assert bench.api.names().count("secrets") == 1
    assert bench.stages()[-1] == "bundle_installed"


async def test_a_wrong_bundle_is_not_installed(bench, world) -> None:
    bench.host = CONTENT[:-1] + bytes([CONTENT[-1] ^ 1])
    with pytest.raises(InstallError, match="the bytes fetched have digest"):
        await bench.boot()
    assert Releases(world.layout).current() is None


async def test_a_key_that_is_out_already(bench) -> None:
    bench.api.answers["secrets"] = 409
    with pytest.raises(RefusedError, match=r"issued before and is given out only once.*again"):
        await bench.boot()
    assert "agent_enrolled" not in bench.stages()
