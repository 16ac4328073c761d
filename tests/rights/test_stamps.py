"""Whose name the API server writes beside what was changed; nobody gets another's there."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.conftest import Kubectl
from tests.rights.conftest import JSON, Person, rollout, target, until

pytestmark = pytest.mark.cluster

ROLLOUT, TARGET = "rollouts.hydracore.io", "rollouttargets.hydracore.io"
CREATE = ("create", "-f", "-")
KEY = "api-key laptop (k-1)"


@pytest.fixture(autouse=True)
def stamped(editor: Person) -> None:
    """The API server has read the policies."""
    tell = (*CREATE, "--dry-run=server", "-o", "json")

    def seen() -> bool:
        done = editor(*tell, given=rollout("probe"))
        return done.returncode == 0 and "created-by" in done.stdout

    until(seen, "the stamps")


def merge(what: str, name: str, body: JSON, *more: str) -> tuple[str, ...]:
    return ("patch", what, name, "--type=merge", "-p", json.dumps(body), *more)


def marks(person: Person, what: str = ROLLOUT, name: str = "roll") -> dict[str, str]:
    found = json.loads(person.does("get", what, name, "-o", "json"))
    prefix = "hydracore.io/"
    return {
        key.removeprefix(prefix): value
        for key, value in found["metadata"].get("annotations", {}).items()
        if key.startswith(prefix)
    }


def user(person: Person) -> str:
    return f"kubernetes-user {person.name}"


def test_who_makes_pauses_resumes_and_cancels_is_written_down(
    editor: Person, bind: Callable[..., Person]
) -> None:
    other = bind("bob", "hydracore-editor", to=("create", ROLLOUT))
    editor.does(*CREATE, given=rollout())
    assert marks(editor) == {"created-by": user(editor)}
    other.does(*merge(ROLLOUT, "roll", {"spec": {"paused": True}}))
    assert marks(editor) == {"created-by": user(editor), "spec-paused-by": user(other)}
    editor.does(*merge(ROLLOUT, "roll", {"spec": {"paused": False}}))
    assert marks(editor)["resumed-by"] == user(editor)
    other.does("annotate", ROLLOUT, "roll", "hydracore.io/resumed-at=2030-05-01T12:00:00Z")
    assert marks(editor)["resumed-by"] == user(other)
    editor.does(*merge(ROLLOUT, "roll", {"spec": {"cancel": "Graceful"}}))
    assert marks(editor)["cancelled-by"] == user(editor)
    other.does("annotate", ROLLOUT, "roll", "hydracore.io/cancel=Force")
    assert marks(editor)["cancelled-by"] == user(other)


def test_whoever_takes_a_pause_away_resumes(editor: Person, api: Person) -> None:
    editor.does(*CREATE, given=rollout())
    api.does("annotate", ROLLOUT, "roll", f"hydracore.io/paused-by={KEY}")
    editor.does("annotate", ROLLOUT, "roll", "hydracore.io/paused-by-")
    assert marks(editor) == {"created-by": user(editor), "resumed-by": user(editor)}


def test_the_administrator_is_named_like_everybody(admin: Person) -> None:
    admin.does(*CREATE, given=rollout(paused=True))
    found = marks(admin)
    assert set(found) == {"created-by", "spec-paused-by"}
    assert len(set(found.values())) == 1
    assert found["created-by"].startswith("kubernetes-user ")


def test_other_changes_bear_no_name(editor: Person, operator: Person) -> None:
    editor.does(*CREATE, given=rollout())
    editor.does("label", ROLLOUT, "roll", "team=blue")
    editor.does("annotate", ROLLOUT, "roll", "note=x")
    operator.does(*merge(ROLLOUT, "roll", {"metadata": {"finalizers": ["hydracore.io/operator"]}}))
    assert marks(editor) == {"created-by": user(editor)}
    operator.does(*merge(ROLLOUT, "roll", {"metadata": {"finalizers": []}}))


@pytest.mark.parametrize("key", ["created-by", "spec-paused-by", "resumed-by", "cancelled-by"])
def test_nobody_writes_anothers_name(editor: Person, key: str) -> None:
    editor.does(*CREATE, given=rollout())
    forged = ("annotate", "--overwrite", ROLLOUT, "roll", f"hydracore.io/{key}={KEY}")
    why = editor.is_refused(*forged)
    assert f"hydracore.io/{key} may be set by HydraCore only" in why
    boss = ("annotate", "--overwrite", ROLLOUT, "roll", f"hydracore.io/{key}=kubernetes-user boss")
    assert f"hydracore.io/{key} may be set by HydraCore only" in editor.is_refused(*boss)


def test_a_forged_name_gives_way_to_the_true_one(editor: Person) -> None:
    forged: Any = {"annotations": {"hydracore.io/created-by": "kubernetes-user boss"}}
    editor.does(*CREATE, given=rollout(metadata=forged))
    body = {
        "metadata": {"annotations": {"hydracore.io/spec-paused-by": KEY}},
        "spec": {"paused": True},
    }
    editor.does(*merge(ROLLOUT, "roll", body))
    assert marks(editor) == {"created-by": user(editor), "spec-paused-by": user(editor)}


def test_a_user_called_like_a_key_does_not_pass_for_one(
    kubectl: Kubectl, editor: Person, namespace: str
) -> None:
    told = ("create", "rolebinding", "sly", "--clusterrole=hydracore-editor", f"--user={KEY}")
    kubectl(*told, "-n", namespace, check=True)
    sly = Person(KEY, namespace, kubectl, (f"--as={KEY}",))
    until(lambda: sly.may("create", ROLLOUT), "the rights")
    sly.does(*CREATE, given=rollout())
    assert marks(editor) == {"created-by": f"kubernetes-user {KEY}"}
    why = sly.is_refused("annotate", ROLLOUT, "roll", f"hydracore.io/paused-by={KEY}")
    assert "hydracore.io/paused-by may be set by HydraCore only" in why


def test_rest_names_those_for_whom_it_acts(api: Person, editor: Person) -> None:
    as_rest = "--field-manager=hydracore-api"
    api.does("create", as_rest, "-f", "-", given=rollout(initiatedBy=KEY))
    body = {
        "metadata": {"annotations": {"hydracore.io/resumed-by": KEY}},
        "spec": {"paused": False},
    }
    api.does(*merge(ROLLOUT, "roll", {"spec": {"paused": True}}, as_rest))
    api.does(*merge(ROLLOUT, "roll", body, as_rest))
    assert marks(api) == {"resumed-by": KEY}
    # That field manager alone is no disguise.
    editor.does(*merge(ROLLOUT, "roll", {"spec": {"paused": True}}, as_rest))
    assert marks(api) == {"resumed-by": KEY, "spec-paused-by": user(editor)}


def test_a_manifest_put_in_its_place_takes_no_name_away(editor: Person) -> None:
    editor.does(*CREATE, given=rollout())
    editor.does("replace", "-f", "-", given=rollout(paused=True))
    editor.does("replace", "-f", "-", given=rollout())
    assert marks(editor) == {
        "created-by": user(editor),
        "spec-paused-by": user(editor),
        "resumed-by": user(editor),
    }
    editor.does("apply", "--server-side", "--force-conflicts", "-f", "-", given=rollout())
    assert set(marks(editor)) == {"created-by", "spec-paused-by", "resumed-by"}


def test_who_takes_back_is_written_down(editor: Person, api: Person) -> None:
    editor.does(*CREATE, given=rollout())
    why = editor.is_refused("annotate", ROLLOUT, "roll", "hydracore.io/rolled-back-by=boss")
    assert "hydracore.io/rolled-back-by may be set by HydraCore only" in why
    editor.does("annotate", ROLLOUT, "roll", "hydracore.io/rollback=true")
    found = marks(editor)
    assert (found["rollback"], found["rolled-back-by"]) == ("true", user(editor))
    api.does(*CREATE, given=rollout("other"))
    by_key = {"hydracore.io/rollback": "true", "hydracore.io/rolled-back-by": KEY}
    said = {"metadata": {"annotations": by_key}}
    api.does(*merge(ROLLOUT, "other", said, "--field-manager=hydracore-api"))
    assert marks(editor, ROLLOUT, "other")["rolled-back-by"] == KEY


def test_who_retries_a_target_is_written_down(
    editor: Person, operator: Person, api: Person, admin: Person, uid: str
) -> None:
    operator.does(*CREATE, given=target(uid=uid))
    assert marks(editor, TARGET, "goal") == {}
    failed = merge(TARGET, "goal", {"status": {"state": "failed"}}, "--subresource=status")
    admin.does(*failed)
    forged = ("annotate", TARGET, "goal", f"hydracore.io/retried-by={KEY}")
    why = editor.is_refused(*forged)
    assert "hydracore.io/retried-by may be set by HydraCore only" in why
    assert f"{editor.name} lacks the verb set-actor on rollouttargets" in why
    assert why.endswith("to retry, raise spec.attempt by one")
    editor.does(*merge(TARGET, "goal", {"spec": {"attempt": 2}}))
    assert marks(editor, TARGET, "goal") == {"retried-by": user(editor)}
    admin.does(*failed)
    by_key = {"metadata": {"annotations": {"hydracore.io/retried-by": KEY}}, "spec": {"attempt": 3}}
    api.does(*merge(TARGET, "goal", by_key, "--field-manager=hydracore-api"))
    assert marks(editor, TARGET, "goal") == {"retried-by": KEY}
