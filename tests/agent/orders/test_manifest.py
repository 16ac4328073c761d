"""Manifests: what may run here."""

import json

import pytest

from hydracore_agent.orders.manifest import Host, check_manifest, read_manifest
from hydracore_agent.orders.outcome import Rejected
from tests.agent.support.bundles import manifest


def read(folder, **changes):
    (folder / "manifest.json").write_text(json.dumps(manifest(**changes)))
    return read_manifest(folder)


def test_what_was_ordered_and_fits(tmp_path) -> None:
    check_manifest(read(tmp_path), "expressclaw", "1.1.0", Host.here())


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"version": "1.1.1"}, "runtime expressclaw 1.1.1, but the order is for runtime"),
        ({"slug": "other"}, "runtime other 1.1.0, but the order"),
        ({"component": "skill"}, "skill expressclaw 1.1.0, but the order"),
        ({"python": "cp39"}, "built for cp39 on .*, but this server has cp3"),
        ({"platform": "linux_s390x"}, "on linux_s390x, but this server"),
    ],
)
def test_says_what_differs(tmp_path, changes, reason) -> None:
    with pytest.raises(Rejected, match=reason):
        check_manifest(read(tmp_path, **changes), "expressclaw", "1.1.0", Host.here())


@pytest.mark.parametrize(
    "entrypoint", [[], ["-c", "x"], ["-m", "a; b"], ["-m", "a", "b"], "-m", ["-m", ""]]
)
def test_only_modules_are_entrypoints(tmp_path, entrypoint) -> None:
    with pytest.raises(Rejected, match="entrypoint"):
        read(tmp_path, entrypoint=entrypoint)


def test_a_missing_or_broken_manifest(tmp_path) -> None:
    with pytest.raises(Rejected, match=r"no manifest\.json"):
        read_manifest(tmp_path)
    (tmp_path / "manifest.json").write_text("{")
    with pytest.raises(Rejected, match="is wrong"):
        read_manifest(tmp_path)
