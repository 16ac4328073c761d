"""Which releases are installed, which one runs, and which one to go back to."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hydracore_agent.errors import StateError
from hydracore_agent.fields import SHA256, Fields
from hydracore_agent.files import read_json, remove_tree, write_json
from hydracore_agent.layout import Layout

LISTING = ".installed.json"
"""Lists a release's files with their digests; written when it is unpacked to its end."""


@dataclass(frozen=True, slots=True)
class Current:
    """The content of ``state/current.json``.

    Attributes:
        sha256: The release that runs.
        previous: The one before it, kept to go back to.
        task_id: The order that brought it; None for the first installation.
    """

    sha256: str
    previous: str | None = None
    task_id: str | None = None


class Releases:
    """The folders below ``releases/`` and the file that says which one counts."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout

    def current(self) -> Current | None:
        """Return what runs, or None before the first installation.

        Raises:
            StateError: the file is damaged.
        """
        path = self._layout.current
        try:
            data = read_json(path)
            if data is None:
                return None
            current = Current(
                Fields(data, path.name).digest("current"), data.get("previous"), data.get("taskId")
            )
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise StateError(f"{path} is damaged ({error}); see releases/ and repair it") from error
        return current

    def set_current(self, sha256: str, previous: str | None, task_id: str | None) -> None:
        """Make a release the one that counts, durably. This is the moment of a switch."""
        content = {"current": sha256, "previous": previous, "taskId": task_id}
        write_json(self._layout.current, content)

    def is_complete(self, folder: Path) -> bool:
        """Return whether a folder was unpacked to its end."""
        return (folder / LISTING).is_file()

    def prune(self, keep: set[str]) -> None:
        """Remove all installed releases but those to keep."""
        for folder in self._layout.releases.iterdir():
            if SHA256.fullmatch(folder.name) and folder.name not in keep:
                remove_tree(folder)

    def sweep(self, keep: set[str]) -> None:
        """Remove what interrupted tasks left behind, but for the folders and files to keep."""
        leftovers = [*self._layout.releases.glob(".*"), *self._layout.incoming.iterdir()]
        for path in leftovers:
            if path.name in keep:
                continue
            if path.is_dir() and not path.is_symlink():
                remove_tree(path)
            else:
                path.unlink(missing_ok=True)
