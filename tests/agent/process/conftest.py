"""Real launchers and agents, from real bundles, against a control-plane double."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.agent.support.box import Box, until
from tests.agent.support.bundles import Built, build_release
from tests.agent.support.keys import Signer
from tests.agent.support.plane import Plane


@dataclass(frozen=True)
class Releases:
    """The bundles that the tests install."""

    first: Built
    second: Built
    broken: Built
    frozen: Built


@dataclass(frozen=True)
class Booted:
    """A stopped server after its first boot."""

    folder: Path
    agent_key: str
    public_key: str

    def copy_to(self, folder: Path) -> None:
        shutil.copytree(self.folder / "releases", folder / "releases", copy_function=os.link)
        shutil.copytree(self.folder / "state", folder / "state")


@pytest.fixture(scope="session")
def releases(tmp_path_factory: pytest.TempPathFactory) -> Releases:
    folder = tmp_path_factory.mktemp("bundles")
    return Releases(
        build_release(folder, "1.0.0"),
        build_release(folder, "1.1.0", "shout"),
        build_release(folder, "1.2.0", "shout", "broken"),
        build_release(folder, "1.3.0", "frozen"),
    )


@pytest.fixture(scope="session")
def signer() -> Signer:
    return Signer()


@pytest.fixture
def plane(signer: Signer) -> Iterator[Plane]:
    double = Plane(signer)
    double.start()
    yield double
    double.stop()


@pytest.fixture(scope="session")
def booted(tmp_path_factory: pytest.TempPathFactory, releases: Releases, signer: Signer) -> Booted:
    """Boot one server, so that the others can begin where it ended."""
    plane = Plane(signer)
    plane.start()
    made = Box(tmp_path_factory.mktemp("booted"), plane, releases.first)
    made.start()
    try:
        made.status()
        until("the first heartbeat", lambda: plane.heartbeats)
    finally:
        made.close()
        plane.stop()
    assert plane.agent_key is not None
    assert plane.public_key is not None
    return Booted(made.folder, plane.agent_key, plane.public_key)


@pytest.fixture
def make_box(
    tmp_path: Path, plane: Plane, releases: Releases, booted: Booted
) -> Iterator[Callable[..., Box]]:
    """Return a maker of servers, not started; ``fresh`` ones have never booted."""
    boxes: list[Box] = []

    def make(*, fresh: bool = False, **changes: Any) -> Box:
        folder = tmp_path / f"server-{len(boxes)}"
        if not fresh:
            booted.copy_to(folder)
            plane.agent_key, plane.public_key = booted.agent_key, booted.public_key
            plane.token_alive = False
        boxes.append(Box(folder, plane, releases.first, **changes))
        return boxes[-1]

    yield make
    for box in boxes:
        box.close()
        print(box.logs())  # noqa: T201 - shown when a test fails


@pytest.fixture
def box(make_box: Callable[..., Box]) -> Box:
    """A server that runs."""
    made = make_box()
    made.start()
    made.status()
    return made
