"""What a caller may do, as the rest of the API asks it."""

from __future__ import annotations

import pytest

from hydracore_api.auth.principal import Principal
from tests.api.support.world import World


async def principal(world: World, *, admin: bool, tenant_wide: bool) -> Principal:
    """Return the caller that a new API key stands for."""
    headers = await world.key(admin=admin, tenant_wide=tenant_wide)
    record = await world.services.authenticator.find(headers["X-Api-Key"])
    assert record is not None
    return Principal(record, "127.0.0.1")


@pytest.mark.parametrize("admin", [True, False])
@pytest.mark.parametrize("tenant_wide", [True, False])
async def test_admin_and_tenant_wide_are_what_the_key_was_created_with(
    world: World, *, admin: bool, tenant_wide: bool
) -> None:
    caller = await principal(world, admin=admin, tenant_wide=tenant_wide)
    assert (caller.admin, caller.tenant_wide) == (admin, tenant_wide)


async def test_logs_name_the_caller_by_its_keys_id_and_never_by_the_key(world: World) -> None:
    caller = await principal(world, admin=False, tenant_wide=False)
    assert caller.id == caller.key.id
    assert caller.id in caller.actor
    assert caller.key.key_hash not in caller.actor
