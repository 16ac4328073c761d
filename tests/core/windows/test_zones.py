from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from hydracore_core.windows import zones


def test_a_zone_knows_its_summer() -> None:
    berlin = zones.zone("Europe/Berlin")
    assert datetime(2026, 7, 1, tzinfo=berlin).utcoffset() == timedelta(hours=2)
    assert datetime(2026, 1, 1, tzinfo=berlin).utcoffset() == timedelta(hours=1)
    assert zones.zone("Etc/UTC") is UTC


@pytest.mark.parametrize(
    "name", ["Europe/Atlantis", "europe/berlin", "Local", "", "../../etc/passwd", "zones", "Europe"]
)
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(zones.UnknownZoneError, match="write a name of the IANA database"):
        zones.zone(name)


def test_every_known_name_can_be_read() -> None:
    assert len(zones.names()) > 400
    for name in zones.names():
        assert zones.zone(name).utcoffset(datetime(2026, 1, 1)) is not None  # noqa: DTZ001


def test_no_zone_files_of_the_machine_are_needed() -> None:
    code = (
        "import zoneinfo; zoneinfo.reset_tzpath(['/nowhere'])\n"
        "from hydracore_core.windows.zones import zone; print(zone('America/New_York'))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "America/New_York"
