"""``hydracore keys rotate``."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hydracore_api.auth.keys import hash_key
from hydracore_cli.errors import CliError
from hydracore_cli.keys_table import keys_table
from hydracore_cli.new_key import NewKey, create_key
from hydracore_cli.output import make_console
from hydracore_cli.rotated_key import overlap_of, rotate_key
from hydracore_cli.stack.layout import StackLayout, layout_of
from hydracore_history import History

SECRET = b"s" * 32


@pytest.fixture
async def layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StackLayout:
    (tmp_path / "secret").write_bytes(SECRET)
    url = f"sqlite+aiosqlite:///{tmp_path}/history.db"
    monkeypatch.setenv("HYDRACORE_SERVER_SECRET_FILE", str(tmp_path / "secret"))
    monkeypatch.setenv("HYDRACORE_DATABASE_URL", url)
    history = History(url)
    await history.migrate()
    await history.close()
    return layout_of(tmp_path / "state")


async def make(layout: StackLayout, name: str) -> str:
    wanted = NewKey("acme", "acme", name, ("instances:read",), admin=False, tenant_wide=True)
    key_id, _ = await create_key(layout, wanted)
    return key_id


@pytest.mark.parametrize("by", ["name", "id"])
async def test_a_key_is_rotated_by_name_or_id(layout: StackLayout, tmp_path: Path, by: str) -> None:
    key_id = await make(layout, "laptop")
    found = await rotate_key(layout, "laptop" if by == "name" else key_id, "2h")
    history = History(f"sqlite+aiosqlite:///{tmp_path}/history.db")
    stored = {one.id: one for one in await history.keys.list("acme")}
    await history.close()
    assert stored.keys() == {key_id, found.record.id}
    old, new = stored[key_id], stored[found.record.id]
    assert old.expires_at == found.expires_at == new.created_at + timedelta(hours=2)
    assert new.key_hash == hash_key(found.key, SECRET)
    assert (new.name, new.scopes, new.tenant_wide) == (old.name, old.scopes, old.tenant_wide)
    console = make_console()
    with console.capture() as shown:
        console.width = 400
        console.print(keys_table([new, old], datetime.now(UTC)))
        console.print(keys_table([old], found.expires_at))
    assert f"in use until {found.expires_at:%Y-%m-%d %H:%M:%SZ}" in shown.get()
    assert f"expired {found.expires_at:%Y-%m-%d %H:%M:%SZ}" in shown.get()


async def test_a_name_of_two_keys_is_refused_with_their_ids(layout: StackLayout) -> None:
    ids = {await make(layout, "laptop"), await make(layout, "laptop")}
    with pytest.raises(CliError, match="2 keys are called laptop") as refused:
        await rotate_key(layout, "laptop", "2h")
    assert all(one in str(refused.value) for one in ids)


async def test_what_cannot_be_rotated_is_said(layout: StackLayout) -> None:
    key_id = await make(layout, "laptop")
    with pytest.raises(CliError, match="no key absent can be rotated"):
        await rotate_key(layout, "absent", "2h")
    await rotate_key(layout, key_id, "2h")
    with pytest.raises(CliError, match="has a successor already"):
        await rotate_key(layout, key_id, "2h")


def test_overlaps_are_a_number_and_a_unit() -> None:
    read = [overlap_of(text).total_seconds() for text in ("0s", "90s", "30m", "24h", "7d")]
    assert read == [0, 90, 1800, 86400, 604800]


@pytest.mark.parametrize("text", ["", "24", "h", "-1h", "1.5h", "366d", "999999999d", "1h30m"])
def test_other_overlaps_are_refused(text: str) -> None:
    with pytest.raises(CliError, match="at most 365d"):
        overlap_of(text)
