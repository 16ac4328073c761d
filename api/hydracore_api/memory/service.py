"""Rules of memory: the agent keeps it; nothing of it is stored here."""

from __future__ import annotations

from hydracore_agentclient import MemoryFilter, MemoryItem, NewMemory
from hydracore_api.auth.principal import Principal
from hydracore_api.instances.lookup import find, running_endpoint
from hydracore_api.memory.schemas import (
    AddMemory,
    ForgetMemory,
    MemoryAdded,
    MemoryForgotten,
    MemoryHealth,
    MemoryList,
    MemoryView,
)
from hydracore_api.services import Services


async def list_(
    services: Services, principal: Principal, id_: str, which: MemoryFilter, limit: int
) -> MemoryList:
    """Return what an agent remembers.

    Raises:
        NotFound: There is no such instance.
        Conflict: It is not running.
        AgentError: The agent cannot be asked.
    """
    where = running_endpoint(await find(services, principal, id_))
    found = await services.agents.memory(where, which, limit)
    return MemoryList(
        instance_id=id_,
        count=len(found.items),
        memories=[_view(one) for one in found.items],
        status=MemoryHealth(stored=found.stored),
    )


async def add(services: Services, principal: Principal, id_: str, body: AddMemory) -> MemoryAdded:
    """Have an agent remember something; the same again is the same item.

    Raises:
        NotFound: There is no such instance.
        Conflict: It is not running.
        AgentError: The agent cannot be asked.
    """
    where = running_endpoint(await find(services, principal, id_))
    item = await services.agents.remember(where, NewMemory(**body.model_dump()))
    return MemoryAdded(instance_id=id_, status="stored", memory=_view(item))


async def forget(
    services: Services, principal: Principal, id_: str, body: ForgetMemory
) -> MemoryForgotten:
    """Have an agent forget what fits.

    Raises:
        NotFound: There is no such instance.
        Conflict: It is not running.
        AgentError: The agent cannot be asked.
    """
    where = running_endpoint(await find(services, principal, id_))
    which = MemoryFilter(
        id=str(body.memory_id) if body.memory_id else None,
        **body.model_dump(exclude={"memory_id"}),
    )
    gone = await services.agents.forget_memory(where, which)
    return MemoryForgotten(instance_id=id_, status="deleted", deleted=gone.removed)


def _view(item: MemoryItem) -> MemoryView:
    return MemoryView(
        memory_id=item.id,
        kind=item.kind,
        content=item.content,
        customer_id=item.customer_id,
        conversation_id=item.conversation_id,
        created_at=item.created_at,
    )
