"""Unpacking: nothing outside, nothing but files, nothing too big."""

import gzip
import io
import json
import tarfile

import pytest

from hydracore_agent.health.integrity import damaged_files
from hydracore_agent.orders.outcome import Aborted, Rejected
from hydracore_agent.orders.unpack import LISTING, Bounds, unpack
from tests.agent.support.bundles import tar_of


def nothing() -> None:
    """Let it go on."""


def entry(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type = kind
    made.linkname = target
    return made


def run(tmp_path, content: bytes, bounds: Bounds | None = None):
    archive = tmp_path / "bundle.tar.gz"
    archive.write_bytes(content)
    folder = tmp_path / "out" / "release"
    unpack(archive, folder, nothing, bounds)
    return folder


def test_unpacks_and_lists_with_digests(tmp_path) -> None:
    folder = run(tmp_path, tar_of({"manifest.json": b"{}", "lib/a/b.py": b"x = 1\n"}))
    assert (folder / "lib/a/b.py").read_bytes() == b"x = 1\n"
    assert set(json.loads((folder / LISTING).read_text())["files"]) == {
        "manifest.json",
        "lib/a/b.py",
    }
    assert damaged_files(folder) == []
    (folder / "lib/a/b.py").write_bytes(b"x = 2\n")
    assert damaged_files(folder) == ["lib/a/b.py"]
    (folder / "lib/a/b.py").unlink()
    assert damaged_files(folder) == ["lib/a/b.py"]


@pytest.mark.parametrize(
    "name", ["/etc/passwd", "../up", "lib/../../up", "a\nb", "a\x1bb", LISTING, "x" * 600]
)
def test_refuses_forbidden_names(tmp_path, name) -> None:
    with pytest.raises(Rejected, match="forbidden name"):
        run(tmp_path, tar_of({name: b"x"}))
    assert not (tmp_path / "out" / "release").exists()
    assert not (tmp_path / "up").exists()


@pytest.mark.parametrize(
    "kind",
    [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE],
)
def test_refuses_links_and_devices(tmp_path, kind) -> None:
    with pytest.raises(Rejected, match="neither a file nor a folder"):
        run(tmp_path, tar_of({"lib/x": entry("lib/x", kind, "/etc/passwd")}))


def test_refuses_two_of_one_name(tmp_path) -> None:
    out = io.BytesIO()
    with gzip.GzipFile("", "wb", 1, out) as packed, tarfile.open(fileobj=packed, mode="w") as tar:
        for _ in range(2):
            tar.addfile(tarfile.TarInfo("same"), io.BytesIO())
    with pytest.raises(Rejected, match="two members named 'same'"):
        run(tmp_path, out.getvalue())


def test_refuses_bombs(tmp_path) -> None:
    bomb = tar_of({"zeros": b"\0" * 5_000_000})
    assert len(bomb) < 100_000
    with pytest.raises(Rejected, match="unpacks to more bytes"):
        run(tmp_path, bomb, Bounds(total_bytes=1_000_000))
    with pytest.raises(Rejected, match="too many"):
        run(tmp_path, bomb, Bounds(file_bytes=1_000_000))
    with pytest.raises(Rejected, match="more than 2 members"):
        run(tmp_path, tar_of({str(n): b"" for n in range(3)}), Bounds(members=2))
    assert not (tmp_path / "out" / "release").exists()


@pytest.mark.parametrize("content", [b"", b"no gzip", gzip.compress(b"no tar" * 200, mtime=0)])
def test_refuses_what_is_no_archive(tmp_path, content) -> None:
    with pytest.raises(Rejected, match="not a sound gzip tar"):
        run(tmp_path, content)


def test_refuses_a_cut_archive(tmp_path) -> None:
    whole = tar_of({"a": bytes(range(256)) * 400, "b": b"x" * 100_000})
    with pytest.raises(Rejected, match="not a sound gzip tar"):
        run(tmp_path, whole[: len(whole) // 2])


def test_is_stopped_by_its_check(tmp_path) -> None:
    archive = tmp_path / "bundle.tar.gz"
    archive.write_bytes(tar_of({"a": b"x"}))

    def stop() -> None:
        raise Aborted("stopped")

    with pytest.raises(Aborted):
        unpack(archive, tmp_path / "release", stop)
    assert not (tmp_path / "release").exists()
