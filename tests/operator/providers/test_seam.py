"""Names, labels, errors, ports: what every provider shares."""

from __future__ import annotations

import random
import re
import socket

import pytest

from hydracore_operator.providers import Providers, find_labels, server_labels, server_name
from hydracore_operator.providers.errors import (
    AuthError,
    CapacityError,
    NameConflictError,
    ProviderError,
    QuotaError,
    ServerNotFoundError,
    TransientError,
    UnknownOutcomeError,
)
from hydracore_operator.providers.local.ports import PORT_RANGE, choose_port
from tests.operator.providers.double import DoubleProvider

ID = "11111111-2222-4333-8444-555555555555"


@pytest.mark.parametrize("name", ["ada", "a.b.c", "x" * 63, "0-0", "a" + "." * 61 + "b"])
def test_server_names_are_dns_labels_of_this_id(name: str) -> None:
    made = server_name(name, ID)
    assert re.fullmatch(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", made)
    assert made.endswith("-11111111")


def test_a_server_is_found_by_cluster_and_id() -> None:
    labels = server_labels("c", "ns", "ada", ID)
    assert find_labels("c", ID).items() <= labels.items()
    assert len(labels) == 4


def test_every_error_has_a_reason_of_its_own_and_a_time_to_wait() -> None:
    kinds: list[type[ProviderError]] = [
        AuthError,
        CapacityError,
        NameConflictError,
        QuotaError,
        ServerNotFoundError,
        TransientError,
        UnknownOutcomeError,
    ]
    assert len({kind.reason for kind in kinds}) == len(kinds)
    assert all(kind.retry_after.total_seconds() >= 2 for kind in kinds)
    assert QuotaError("429").explain() == (
        "429. It is tried again; raise the provider's limit if this stays"
    )


def test_an_unknown_provider_is_named_with_those_that_are_there() -> None:
    providers = Providers({"local": DoubleProvider()})
    assert providers.get("local").name == "local"
    with pytest.raises(AuthError, match=r"no provider 'hetzner' \(it has: local\)"):
        providers.get("hetzner")


def test_ports_are_free_and_below_the_ephemeral_range() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        used = taken.getsockname()[1]
        seen = {choose_port("127.0.0.1", {20001}, random.Random(n)) for n in range(50)}
    assert used not in seen
    assert seen <= set(PORT_RANGE) - {20001}
    assert PORT_RANGE.stop <= 32768


def test_a_listening_port_is_not_chosen() -> None:
    port = choose_port("127.0.0.1", (), random.Random(1))
    with socket.create_server(("127.0.0.1", port)):
        others = set(PORT_RANGE) - {port}
        with pytest.raises(CapacityError, match="no free port"):
            choose_port("127.0.0.1", others, random.Random(1))
