from __future__ import annotations

from datetime import UTC, datetime

import pytest
from cronsim import CronSim

from hydracore_core.windows.schedules import InvalidScheduleError, read


def openings(text: str, count: int = 3) -> list[str]:
    found = CronSim(read(text).cron, datetime(2026, 3, 1, tzinfo=UTC))
    return [f"{next(found):%d.%m. %H:%M}" for _ in range(count)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("0 22 * * *", ["01.03. 22:00", "02.03. 22:00", "03.03. 22:00"]),
        ("30 1 * * mon-fri", ["02.03. 01:30", "03.03. 01:30", "04.03. 01:30"]),
        ("0  4  1  jan,JUL  *", ["01.07. 04:00", "01.01. 04:00", "01.07. 04:00"]),
        ("0 */12 * * *", ["01.03. 12:00", "02.03. 00:00", "02.03. 12:00"]),
        ("0 8-16/4 * * *", ["01.03. 08:00", "01.03. 12:00", "01.03. 16:00"]),
        ("0 0 * * 7", ["08.03. 00:00", "15.03. 00:00", "22.03. 00:00"]),
        # Day of the month or of the week, where both are restricted.
        ("0 0 13 * FRI", ["06.03. 00:00", "13.03. 00:00", "20.03. 00:00"]),
        ("0 0 29 2 *", ["29.02. 00:00", "29.02. 00:00", "29.02. 00:00"]),
        # cronsim alone would go on from such a range's only value to the last one that there is.
        ("0 5-5/2 * * *", ["01.03. 05:00", "02.03. 05:00", "03.03. 05:00"]),
        ("0 05-5/2,7 * * *", ["01.03. 05:00", "01.03. 07:00", "02.03. 05:00"]),
        ("0 0 * * 1-MON/2", ["02.03. 00:00", "09.03. 00:00", "16.03. 00:00"]),
    ],
)
def test_schedules_are_read_as_cron_jobs_are(text: str, found: list[str]) -> None:
    assert openings(text) == found


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0 22 * *",
        "0 22 * * * *",
        "@daily",
        "60 0 * * *",
        "0 24 * * *",
        "0 0 32 * *",
        "0 0 * 13 *",
        "0 0 * * 8",
        "0 0 * * noday",
        "0 0 */0 * *",
        "0 0 L * *",
        "0 0 * * MON#2",
        "0 0 ? * *",
        "-1 0 * * *",
        "1, 0 * * *",
        "0 22 * * *\n",
    ],
)
def test_what_is_no_schedule_is_refused(text: str) -> None:
    with pytest.raises(InvalidScheduleError, match="write the five fields of cron"):
        read(text)


@pytest.mark.parametrize(
    "text", ["0 0 31 2 *", "0 0 30,31 2 *", "0 0 31 4,6 *", "0 5-3 * * *", "0 0 * * FRI-MON"]
)
def test_what_never_opens_is_refused(text: str) -> None:
    with pytest.raises(InvalidScheduleError, match="never opens or cannot be read"):
        read(text)
