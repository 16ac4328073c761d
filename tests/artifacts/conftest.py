"""Every kind of object store; the same tests run on each."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from hydracore_artifacts.location import S3Access
from hydracore_artifacts.store import ArtifactStore
from tests.support.s3.server import S3Server

KINDS = ("folder", "s3")


@dataclass(frozen=True)
class Place:
    """A store, and the folder in which its objects are files, whoever keeps them."""

    url: str
    access: S3Access
    root: Path
    whole: Path
    """What has to go for the store itself to be gone."""

    def open(self) -> ArtifactStore:
        return ArtifactStore(self.url, self.access)

    def files(self) -> list[str]:
        """The keys of all objects; an S3 server's own files begin with a dot."""
        found = [p.relative_to(self.root) for p in self.root.rglob("*") if p.is_file()]
        return sorted(str(p) for p in found if not p.parts[0].startswith("."))

    def vanish(self) -> None:
        shutil.rmtree(self.whole)


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """A fresh place of each kind."""
    if request.param == "folder":
        folder = tmp_path / "a folder"
        return Place(folder.as_uri(), S3Access(), folder, folder)
    server: S3Server = request.getfixturevalue("s3")
    bucket = server.bucket()
    folder = server.buckets / bucket
    return Place(f"s3://{bucket}/some/where", server.access, folder / "some" / "where", folder)


@pytest.fixture
def store(place: Place) -> ArtifactStore:
    return place.open()
