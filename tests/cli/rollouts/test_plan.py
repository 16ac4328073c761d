"""A plan as text, and the manifests that one is asked for."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from hydracore_cli.errors import CliError
from hydracore_cli.rollouts.plan import read_file, read_manifest
from hydracore_cli.rollouts.plan_text import plan_text
from hydracore_core.rollouts.estimate import Observed
from hydracore_core.rollouts.preview import preview
from hydracore_crds import Instance, RolloutTarget
from tests.core.rollouts.builders import (
    done,
    fleet,
    instance,
    policy,
    rollout,
    running,
    target,
    view,
)

CANARY = {"name": "canary", "count": 1, "bake_seconds": 300, "approval": True}
ROLLOUT = """
apiVersion: hydracore.io/v1alpha1
kind: Rollout
metadata: {name: r1}
spec: {bundleName: b}
"""


def shown(
    instances: list[Instance],
    observed: Observed | None = None,
    known: Sequence[RolloutTarget] = (),
    **spec: Any,
) -> str:
    old = rollout("old", admitted=True)
    tenant = view(
        policy=policy(3, window=(10, 14)),
        instances=instances,
        rollouts=[old],
        targets=[running(old, instance("busy")), target(old, instances[1], 1), *known],
    )
    wanted = rollout("new", held=False, **spec)
    wanted.metadata.uid, wanted.metadata.creation_timestamp = "", None
    out = io.StringIO()
    Console(file=out, width=160).print(plan_text(preview(tenant, wanted, observed)))
    return " ".join(out.getvalue().split())


def test_a_plan_says_who_when_and_on_which_conditions() -> None:
    there = [*fleet(4), instance("done", version="1.1.0")]
    text = shown(there, strategy={"waves": [CANARY, {"percent": 50}], "maxParallel": 2})
    assert text.startswith("runtime-expressclaw-1.1.0 to 4 instances (plan ")
    plan_hash = text.partition("(plan ")[2][:12]
    assert (
        f"1 canary 1 a-0 100% succeeded, healthy for 5 min 0 s, approved as 1@{plan_hash}" in text
    )
    assert "2 2 a-1, a-2 100% succeeded" in text
    assert "3 1 a-3 -" in text
    assert "Skipped 1 AlreadyUpToDate (done)" in text
    assert (
        "At once 2 (the policy's limit is 3, the rollout's 2; 1 of the tenant in flight now" in text
    )
    assert "Failures halts at 1 failure" in text
    assert "Window open, closes at 2026-03-01 14:00Z" in text
    assert "Waits for nothing" in text
    assert "Takes over 1 target of old" in text
    assert "Ends no update of this tenant has succeeded yet, so nobody knows" in text


def test_an_estimate_comes_with_what_it_is_from_and_takes_for_granted() -> None:
    text = shown(fleet(4), Observed(60, 7, 60))
    assert (
        "Ends about 2026-03-01 12:02Z, from 1 min 0 s each (the average of 7 updates), "
        "if: nothing fails; other rollouts of the tenant take no slots (1 under way)"
    ) in text


def test_of_a_window_that_closes_it_says_how_much_must_be_left() -> None:
    earlier = done(rollout("earlier"), instance("other"), 0, "succeeded")
    text = shown(fleet(4), known=[earlier])
    assert "Window open, closes at 2026-03-01 14:00Z; what starts must have 2 min left" in text


def test_of_many_instances_the_first_are_named() -> None:
    text = shown([*fleet(20), *(instance(f"x{n}", version="1.1.0") for n in range(10))])
    assert "a-0, a-1, a-10, a-11, a-12, a-13, a-14, a-15 and 12 more" in text
    assert "10 AlreadyUpToDate (x0, x1, x2, x3, x4, x5, x6, x7 and 2 more)" in text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "is no YAML"),
        ("", "holds 0 objects: give one Rollout"),
        (f"{ROLLOUT}---{ROLLOUT}", "holds 2 objects"),
        ("kind: Pod\napiVersion: v1\nmetadata: {}", "is no Rollout of hydracore.io/v1alpha1"),
        ("kind: Rollout\napiVersion: hydracore.io/v1alpha1", "has no metadata"),
    ],
)
def test_what_is_no_rollout_is_said(text: str, said: str) -> None:
    with pytest.raises(CliError, match=said):
        read_manifest(text, "r.yaml")


def test_a_rollout_is_read_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "r.yaml"
    file.write_text(ROLLOUT)
    assert read_file(file)["spec"] == {"bundleName": "b"}
    with pytest.raises(CliError, match="cannot be read"):
        read_file(tmp_path / "absent.yaml")
