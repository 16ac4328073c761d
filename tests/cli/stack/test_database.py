"""Which database a stack uses; its password is in one file and in no message."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from hydracore_cli.errors import CliError
from hydracore_cli.stack.database import (
    database_url,
    differs,
    embedded_url,
    keep_database,
    shown_database,
)
from hydracore_cli.stack.layout import StackLayout, layout_of
from hydracore_cli.stack.record import StackRecord
from hydracore_cli.stack.summary import summary_lines

URL = "postgresql+psycopg://hydra:s3cret@db.example:5432/hydra"


@pytest.fixture
def layout(tmp_path: Path) -> StackLayout:
    found = layout_of(tmp_path / "state")
    found.create()
    return found


def test_the_embedded_one_unless_another_is_named(layout: StackLayout) -> None:
    assert database_url(layout) == embedded_url(layout)
    keep_database(layout, None)
    assert database_url(layout) == embedded_url(layout)
    keep_database(layout, URL)
    keep_database(layout, None)
    assert database_url(layout) == URL
    keep_database(layout, "sqlite")
    assert database_url(layout) == embedded_url(layout)


def test_its_password_stands_in_one_file_for_the_owner(layout: StackLayout) -> None:
    keep_database(layout, URL)
    assert stat.S_IMODE(layout.database_url_file.stat().st_mode) == 0o600
    assert shown_database(layout) == URL.replace("s3cret", "***")
    told = "\n".join(summary_lines(layout, StackRecord(pid=1, kubeconfig="/k")))
    assert "history     postgresql+psycopg://hydra:***@db.example" in told
    assert "s3cret" not in told


def test_another_database_is_another(layout: StackLayout) -> None:
    keep_database(layout, URL)
    assert not differs(layout, None)
    assert not differs(layout, URL)
    assert differs(layout, "sqlite")
    assert differs(layout, URL + "2")
    keep_database(layout, "sqlite")
    assert not differs(layout, "sqlite")


@pytest.mark.parametrize(
    "url", ["postgresql://hydra:s3cret@db/x", "mysql://u:s3cret@db/x", "s3cret", "s3cret://"]
)
def test_what_cannot_be_used_is_refused_without_repeating_it(layout: StackLayout, url: str) -> None:
    with pytest.raises(CliError, match=r"postgresql\+psycopg://<user>") as caught:
        keep_database(layout, url)
    if "://" in url and "@" in url:
        assert "s3cret" not in str(caught.value)
    assert not layout.database_url_file.exists()
