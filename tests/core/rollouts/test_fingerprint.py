from __future__ import annotations

from hydracore_core.rollouts.artifacts import pin
from hydracore_core.rollouts.fingerprint import fingerprint
from tests.core.rollouts.builders import bundle, rollout

PLACES = [(1, 0, "a"), (2, 1, "b")]
SPEC = rollout().spec


def test_the_order_in_which_places_are_read_does_not_matter() -> None:
    assert fingerprint(SPEC, pin(bundle()), PLACES) == fingerprint(
        SPEC, pin(bundle()), reversed(PLACES)
    )


def test_another_digest_another_instance_and_another_strategy_are_other_plans() -> None:
    one = fingerprint(SPEC, pin(bundle()), PLACES)
    stricter = rollout(strategy={"maxParallel": 1}).spec
    others = {
        fingerprint(SPEC, pin(bundle("1.2.0")), PLACES),
        fingerprint(SPEC, pin(bundle()), PLACES[:1]),
        fingerprint(SPEC, pin(bundle()), [(1, 0, "a"), (1, 1, "b")]),
        fingerprint(stricter, pin(bundle()), PLACES),
    }
    assert len(others | {one}) == 5


def test_a_field_at_its_default_is_as_good_as_absent() -> None:
    said = rollout(strategy={"retryLimit": 0, "staggerSeconds": 0, "onFailure": "pause"}).spec
    assert fingerprint(said, pin(bundle()), PLACES) == fingerprint(SPEC, pin(bundle()), PLACES)
