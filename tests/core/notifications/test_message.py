"""What a message says, and that it stays small and plain whatever a status holds."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from hydracore_core.notifications.message import body, greeting, plain
from hydracore_core.notifications.occurrences import occurrences
from hydracore_crds.rollout import Counts, PinnedArtifact, RollbackStatus, WaveStatus
from hydracore_crds.webhook import Webhook
from tests.core.rollouts.builders import NOW, rollout

DOCS = Path(__file__).parents[3] / "docs" / "notifications.md"
PINNED = PinnedArtifact(
    bundle_name="runtime-expressclaw-1.1.0",
    slug="expressclaw",
    version="1.1.0",
    sha256="ab" * 32,
    size_bytes=1,
    key_id="k",
    signature="s",
)
WAVES = [
    WaveStatus(name="canary", planned=1, state="running"),
    WaveStatus(planned=4),
]


def said(name: str = "r1", *, tenant_id: str = "t-1", **status: Any) -> dict[str, Any]:
    """Return what is said of the first thing there is to tell."""
    found = rollout(
        name, status={"artifact": PINNED, "counts": Counts(total=5, failed=1), **status}
    )
    first = occurrences(found)[0]
    told: dict[str, Any] = json.loads(body(found, first, tenant_id=tenant_id, now=NOW))
    return told


def test_a_halt_says_where_why_how_far_and_who_is_needed() -> None:
    told = said(
        state="paused",
        halted_at=NOW,
        halt_reason="Halted: 1 of 1 failed.",
        message="wave 1 of 2",
        wave=1,
        waves=WAVES,
    )
    assert (told["type"], told["timestamp"]) == ("rollout.halted", "2026-03-01T12:00:00.000Z")
    data = told["data"]
    assert data["tenant"] == {"id": "t-1", "namespace": "acme"}
    assert data["rollout"]["name"] == "r1"
    assert data["bundle"] == {
        "name": "runtime-expressclaw-1.1.0",
        "slug": "expressclaw",
        "version": "1.1.0",
        "sha256": "ab" * 32,
    }
    assert data["state"] == "paused"
    assert (data["counts"]["total"], data["counts"]["failed"]) == (5, 1)
    assert data["wave"] == {"number": 1, "of": 2, "name": "canary"}
    assert data["reason"] == "Halted: 1 of 1 failed."
    assert data["message"] == "wave 1 of 2"
    assert data["needed"]["decision"] == ["resume", "rollback", "cancel"]


def test_an_approval_comes_with_what_approves_it() -> None:
    waves = [WaveStatus(planned=1, state="awaiting_approval", approval="1@5eed"), WAVES[1]]
    told = said(state="in_progress", wave=1, waves=waves)
    assert told["type"] == "rollout.awaiting_approval"
    assert told["data"]["needed"] == {
        "decision": ["approve", "cancel"],
        "annotations": ["hydracore.io/approve", "hydracore.io/cancel"],
        "approval": "1@5eed",
    }


def test_a_rollback_says_why_and_needs_nobody() -> None:
    back = RollbackStatus(started_at=NOW, reason="2 of 3 failed")
    data = said(state="in_progress", rollback=back)["data"]
    assert data["reason"] == "2 of 3 failed"
    assert "needed" not in data


def test_an_end_without_trouble_has_no_reason() -> None:
    data = said(state="succeeded", completed_at=NOW)["data"]
    assert {"reason", "needed", "wave"}.isdisjoint(data)


def test_before_a_bundle_is_pinned_its_name_is_known() -> None:
    told = said(state="cancelled", completed_at=NOW, artifact=None)
    assert told["data"]["bundle"] == {"name": "runtime-expressclaw-1.1.0"}


def test_the_docs_show_what_is_sent() -> None:
    found = re.findall(r"```json\n(.*?)```", DOCS.read_text(), re.DOTALL)
    shown = json.loads(found[0])
    told = said(
        "to-110",
        tenant_id="acme",
        counts=Counts(total=5, failed=1, queued=4),
        state="paused",
        halted_at=NOW,
        halt_reason=shown["data"]["reason"],
        message=shown["data"]["message"],
        wave=1,
        waves=WAVES,
    )
    assert told == shown


def test_text_is_plain() -> None:
    assert plain("a\x1b[31mb\r\nc\u202ed\x00") == "a [31mb  c d "
    assert plain("é") == "é"
    assert plain(None) is None


def test_the_longest_status_gives_a_message_of_bounded_size() -> None:
    told = said(
        state="paused",
        halted_at=NOW,
        halt_reason="\U0001f9ea" * 2048,
        message='"' * 2048,
        wave=1,
        waves=[WaveStatus(name="\\" * 253, planned=1)] * 21,
    )
    size = len(json.dumps(told, ensure_ascii=False).encode())
    assert size < 20_000


def test_a_greeting_says_to_whom_it_belongs() -> None:
    webhook = Webhook(name="pager", url="https://hooks.example/s3cret")
    text = greeting(webhook, tenant_id="t-1", namespace="acme", now=NOW)
    assert json.loads(text) == {
        "type": "webhook.configured",
        "timestamp": "2026-03-01T12:00:00.000Z",
        "data": {"tenant": {"id": "t-1", "namespace": "acme"}, "webhook": "pager"},
    }
