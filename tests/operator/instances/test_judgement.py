"""What the condition UpToDate says of an instance, by what is available."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from hydracore_crds import Bundle
from hydracore_crds.base import find
from hydracore_crds.instance import InstanceStatus, RuntimeStatus
from hydracore_operator.context import Stores
from hydracore_operator.health import Verdicts
from hydracore_operator.instances.judgement import judge
from hydracore_operator.instances.scope import Scope
from hydracore_operator.providers import Providers
from tests.core.rollouts.builders import NOW, bundle, instance


def up_to_date(running: str | None, *bundles: Bundle) -> tuple[str, str, str]:
    stores = Stores()
    for number, one in enumerate(bundles):
        metadata = one.metadata.model_copy(
            update={"uid": f"u{number}", "resource_version": str(number + 1)}
        )
        stores.bundles.upsert(one.model_copy(update={"metadata": metadata}))
    ctx = cast("Any", SimpleNamespace(stores=stores))
    scope = Scope(
        ctx=ctx,
        providers=Providers({}),
        verdicts=Verdicts(),
        instance=instance("a-0"),
        now=NOW,
    )
    runtime = RuntimeStatus(version=running, bundle_hash="a" * 64) if running else None
    found = find(judge(scope, InstanceStatus(runtime=runtime)), "UpToDate")
    assert found is not None
    return found.status, found.reason, found.message


@pytest.mark.parametrize(
    ("running", "bundles", "status", "reason"),
    [
        ("1.0.0", [bundle("1.1.0")], "False", "UpdateAvailable"),
        ("1.1.0", [bundle("1.1.0")], "True", "Current"),
        ("1.2.0", [bundle("1.1.0")], "True", "Current"),
        ("1.0.0", [], "True", "Current"),
        (None, [bundle("1.1.0")], "Unknown", "NotReported"),
        ("1.0.0", [bundle("1.1.0", quarantined=True)], "True", "Current"),
    ],
)
def test_an_older_runtime_is_not_up_to_date(
    running: str | None, bundles: list[Bundle], status: str, reason: str
) -> None:
    assert up_to_date(running, *bundles)[:2] == (status, reason)


def test_what_is_in_quarantine_is_named() -> None:
    _, _, said = up_to_date("1.0.0", bundle("1.1.0", quarantined=True))
    assert said == "expressclaw 1.0.0 runs; 1.1.0 is in quarantine"
