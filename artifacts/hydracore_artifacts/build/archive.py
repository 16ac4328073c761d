"""A tar archive whose bytes depend on nothing but the names and contents put in."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

FILE_MODE = 0o644
COMPRESSION = 6


def write_archive(out: Path, members: Mapping[PurePosixPath, Path | bytes]) -> None:
    """Write a gzip tar of the members, sorted, without times, owners or the machine's modes.

    A member is a file to read or the bytes themselves. The file ``out`` appears whole or not at
    all.

    Raises:
        OSError: a member cannot be read or ``out`` cannot be written.
    """
    staged = out.with_name(f".{out.name}.part")
    try:
        with (
            staged.open("wb") as raw,
            gzip.GzipFile("", "wb", COMPRESSION, raw, mtime=0) as packed,
            tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive,
        ):
            for path in sorted(members):
                _add(archive, path, members[path])
        staged.replace(out)
    finally:
        staged.unlink(missing_ok=True)


def _add(archive: tarfile.TarFile, path: PurePosixPath, content: Path | bytes) -> None:
    entry = tarfile.TarInfo(str(path))
    entry.mode = FILE_MODE
    if isinstance(content, bytes):
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
        return
    with content.open("rb") as stream:
        entry.size = content.stat().st_size
        archive.addfile(entry, stream)
