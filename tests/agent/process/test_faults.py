"""Bad bundles, bad hosts, kills in the middle; real processes."""

from __future__ import annotations

import time

import pytest

from tests.agent.support.box import Box, until
from tests.agent.support.keys import Signer

pytestmark = pytest.mark.first


def runs(box: Box, built) -> None:
    status = box.status()
    assert (status["bundleHash"], status["onTrial"]) == (built.sha256, False)
    assert status["healthy"]


def test_a_bundle_that_crashes_is_rolled_back_with_the_cause(box, releases) -> None:
    claims = box.claims(releases.broken)
    box.order(claims)
    report = box.settled(claims["jti"])
    assert report["state"] == "rolled_back"
    assert "RuntimeError: the flux capacitor is missing" in report["message"]
    assert report["runningHash"] == releases.first.sha256
    runs(box, releases.first)
    assert box.ledger("activated") == []
    assert not (box.folder / "releases" / releases.broken.sha256).exists()


def test_a_bundle_that_never_gets_healthy_is_rolled_back(make_box, releases) -> None:
    box = make_box(trialSeconds=1.5)
    box.start()
    box.status()
    claims = box.claims(releases.frozen)
    box.order(claims)
    report = box.settled(claims["jti"])
    assert report["state"] == "rolled_back"
    assert "did not get healthy within 1.5 s (its trial)" in report["message"]
    assert "waiting for the tide" in report["message"]
    runs(box, releases.first)


def test_a_trial_ends_at_the_orders_deadline(make_box, releases) -> None:
    box = make_box(trialSeconds=60)
    box.start()
    box.status()
    claims = box.claims(releases.frozen, exp=int(time.time()) + 5)
    box.order(claims)
    report = box.settled(claims["jti"])
    assert report["state"] in {"rolled_back", "expired"}
    assert "deadline" in report["message"]
    runs(box, releases.first)


def test_an_agent_killed_in_the_download_resumes_and_settles(box, plane, releases) -> None:
    plane.faults.drip, plane.faults.drip_bytes = 0.05, 100_000
    claims = box.claims(releases.second)
    box.order(claims)
    until("some bytes", lambda: (box.ask(f"/api/orders/{claims['jti']}") or {}).get("bytesDone"))
    before = box.kill_agent()
    plane.faults.drip = 0
    report = box.settled(claims["jti"])
    assert report["state"] == "activated"
    ranges = [wanted for sha256, wanted, _ in plane.fetches if sha256 == releases.second.sha256]
    assert ranges[0] is None
    assert ranges[-1] is not None, "the second fetch went on where the first was cut"
    assert box.status()["pid"] != before
    assert [line["event"] for line in box.ledger("accepted", "activated")] == [
        "accepted",
        "activated",
    ]


def test_an_agent_that_comes_back_too_late_expires_its_task(box, plane, releases) -> None:
    plane.faults.drip, plane.faults.drip_bytes = 0.2, 10_000
    claims = box.claims(releases.second, exp=int(time.time()) + 3)
    box.order(claims)
    box.reaches(claims["jti"], "downloading")
    box.kill_launcher()
    until("the deadline is over", lambda: time.time() > claims["exp"])
    box.start()
    report = box.settled(claims["jti"])
    assert report["state"] == "expired"
    runs(box, releases.first)
    assert box.order(claims).json()["state"] == "expired"


def test_a_launcher_killed_in_the_trial_decides_when_it_is_back(make_box, releases) -> None:
    box = make_box(trialSeconds=20, tuning={"trialStableSeconds": 5, "restartSeconds": 0.2})
    box.start()
    box.status()
    claims = box.claims(releases.second)
    box.order(claims)
    box.reaches(claims["jti"], "trial")
    box.kill_launcher()
    box.start()
    assert box.settled(claims["jti"], 40)["state"] == "activated"
    runs(box, releases.second)
    assert len(box.ledger("activated")) == 1
    assert len(box.ledger("trial")) == 2


def test_a_launcher_killed_while_unpacking(box, plane, releases) -> None:
    claims = box.claims(releases.second)
    box.order(claims)
    until("it unpacks", lambda: box.ledger("unpacking"))
    box.kill_launcher()
    box.start()
    assert box.settled(claims["jti"])["state"] == "activated"
    assert len(box.ledger("activated")) == 1
    runs(box, releases.second)


def test_a_stale_epoch_is_refused_also_after_kills(box, releases) -> None:
    box.order(box.claims(releases.first, epoch=7))
    box.kill_agent()
    until("back", box.alive)
    answer = box.order(box.claims(releases.second, epoch=6))
    assert (answer.status_code, answer.json()["code"]) == (409, "stale_epoch")
    assert box.status()["epoch"] == 7
    runs(box, releases.first)


def test_another_digest_from_the_host_is_rejected(box, plane, releases) -> None:
    plane.faults.other_bytes = True
    claims = box.claims(releases.second)
    box.order(claims)
    report = box.settled(claims["jti"])
    assert report["state"] == "rejected"
    assert "the bytes fetched have digest" in report["message"]
    runs(box, releases.first)


def test_a_flood_is_rejected(box, plane, releases) -> None:
    plane.faults.flood = True
    claims = box.claims(releases.second)
    box.order(claims)
    report = box.settled(claims["jti"])
    assert report["state"] == "rejected"
    assert "sends more than" in report["message"]


def test_a_host_that_stays_away_is_rejected_at_the_deadline(box, plane, releases) -> None:
    plane.faults.status = 503
    claims = box.claims(releases.second, exp=int(time.time()) + 3)
    box.order(claims)
    report = box.settled(claims["jti"])
    assert report["state"] == "rejected"
    assert "answered 503" in report["message"]
    assert len(plane.fetches) > 3


def test_a_host_that_drips_is_rejected_at_the_deadline(box, plane, releases) -> None:
    plane.faults.drip, plane.faults.drip_bytes = 0.1, 1000
    claims = box.claims(releases.second, exp=int(time.time()) + 3)
    box.order(claims)
    report = box.settled(claims["jti"])
    assert report["state"] == "rejected"
    assert "before the order's deadline" in report["message"]
    assert 0 <= time.time() - claims["exp"] < 2
    runs(box, releases.first)


def test_a_cut_connection_is_mended(box, plane, releases) -> None:
    plane.faults.cut_after = 2_000_000
    claims = box.claims(releases.second)
    box.order(claims)
    assert box.settled(claims["jti"])["state"] == "activated"


@pytest.mark.parametrize("kind", ["key", "signature"])
def test_a_bundle_that_nobody_trusted_signed(box, plane, releases, kind) -> None:
    wrong = (
        {"keyId": "mallory"}
        if kind == "key"
        else {"signature": Signer().sign_digest(releases.second.sha256)}
    )
    claims = box.claims(releases.second, **wrong)
    box.order(claims)
    report = box.settled(claims["jti"])
    assert report["state"] == "rejected"
    assert ("does not trust" if kind == "key" else "is not one of key") in report["message"]
    assert releases.second.sha256 not in [sha256 for sha256, _, _ in plane.fetches]
    runs(box, releases.first)


def test_aborted_while_it_downloads(box, plane, releases) -> None:
    plane.faults.drip = 0.3
    claims = box.claims(releases.second)
    box.order(claims)
    box.reaches(claims["jti"], "downloading")
    answer = box.call("POST", f"/api/orders/{claims['jti']}/abort", {"epoch": 1})
    assert answer.json()["state"] == "aborted"
    plane.faults.drip = 0
    after = box.claims(releases.second)
    assert box.order(after).status_code == 202, "the next order is not kept waiting"
    assert box.settled(after["jti"])["state"] == "activated"
    assert box.ask(f"/api/orders/{claims['jti']}")["state"] == "aborted"


def test_keys_rotate_with_overlap(box, plane, releases) -> None:
    old, new = box.signer, Signer()
    both = [*old.control_keys(), *new.control_keys()]
    plane.signer = type("Both", (), {
        "control_keys": lambda _self: both, "bundle_keys": lambda _self: old.bundle_keys(),
    })()  # fmt: skip
    box.signer = new
    until("the new key counts", lambda: box.ask("/api/status"))
    plane.signer = new
    box.signer = old
    until("the old key is out", lambda: box.ask("/api/status") is None)
    box.signer = new
    box.kill_agent()
    until("the new key survives a kill", lambda: box.ask("/api/status"))
