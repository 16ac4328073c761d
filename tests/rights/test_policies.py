"""What the admission policies refuse, with what words, and whom they let pass."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.rights.conftest import JSON, Person, action, instance, rollout, target, until

pytestmark = pytest.mark.cluster

ID = "7f1c1f5e-2f0b-4c1e-9a51-0c8f1c5d2e77"
CREATE = ("create", "-f", "-")
ROLLOUT = "rollouts.hydracore.io"
PAUSED_BY, CANCELLED_BY = "hydracore.io/paused-by", "hydracore.io/cancelled-by"


def merge(what: str, name: str, body: JSON) -> tuple[str, ...]:
    return ("patch", what, name, "--type=merge", "-p", json.dumps(body))


# ---- who may give an Instance its id -----------------------------------------------------------


def test_only_hydracore_and_a_restore_set_an_id(
    editor: Person, operator: Person, api: Person, bind: Callable[..., Person]
) -> None:
    why = editor.is_refused(*CREATE, given=instance(id=ID))
    assert "spec.id may be set by HydraCore and by a restore only" in why
    assert (
        f"{editor.name} lacks the verb set-id on instances in namespace {editor.namespace}" in why
    )
    assert "leave spec.id out, the operator sets it" in why
    assert "the ClusterRole hydracore-restore" in why
    editor.does(*CREATE, given=instance())
    set_id = merge("instance", "ada", {"spec": {"id": ID}})
    assert "spec.id may be set by HydraCore" in editor.is_refused(*set_id)

    operator.does(*set_id)
    # Whoever edits it afterwards need not be allowed to set it.
    editor.does(*merge("instance", "ada", {"spec": {"agentName": "Ada"}}))
    api.does(*CREATE, given=instance("bob", id=ID))
    restore = bind("rob", "hydracore-restore", to=("create", "instances.hydracore.io"))
    restore.does(*CREATE, given=instance("back", id=ID))


# ---- in whose name something was done ----------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"initiatedBy": "boss"}, "spec.initiatedBy may be set by HydraCore only"),
        ({"initiatedFromIP": "192.0.2.1"}, "spec.initiatedFromIP may be set by HydraCore only"),
        (
            {"initiatedBy": "boss", "initiatedFromIP": "192.0.2.1"},
            "spec.initiatedBy and spec.initiatedFromIP may be set by HydraCore only",
        ),
    ],
)
def test_nobody_starts_a_rollout_in_anothers_name(
    editor: Person, api: Person, spec: JSON, said: str
) -> None:
    why = editor.is_refused(*CREATE, given=rollout(**spec))
    assert said in why
    assert "because it says on whose behalf something was done" in why
    assert f"{editor.name} lacks the verb set-actor on rollouts in" in why
    assert why.endswith(": leave it out")
    editor.does(*CREATE, given=rollout("plain"))
    api.does(*CREATE, given=rollout(**spec))


def test_nobody_asks_for_an_action_in_anothers_name(editor: Person, api: Person) -> None:
    why = editor.is_refused(*CREATE, given=action(requestedBy="boss"))
    assert "spec.requestedBy may be set by HydraCore only" in why
    assert f"{editor.name} lacks the verb set-actor on instanceactions in" in why
    assert why.endswith(": leave it out")
    editor.does(*CREATE, given=action("plain"))
    api.does(*CREATE, given=action(requestedBy="key:1"))


def test_nobody_pauses_or_cancels_in_anothers_name(
    editor: Person, api: Person, admin: Person
) -> None:
    editor.does(*CREATE, given=rollout())
    for key in (PAUSED_BY, CANCELLED_BY):
        why = editor.is_refused("annotate", ROLLOUT, "roll", f"{key}=boss")
        assert f"{key} may be set by HydraCore only" in why
        assert "write your own user name there; to pause or cancel, set spec.paused" in why
        editor.does("annotate", ROLLOUT, "roll", f"{key}={editor.name}")
        # Nor may a name be put in another's place.
        api.does("annotate", "--overwrite", ROLLOUT, "roll", f"{key}=key:1", "--dry-run=server")
        overwritten = ("annotate", "--overwrite", ROLLOUT, "roll", f"{key}=boss")
        assert f"{key} may be set" in editor.is_refused(*overwritten)
    # Resuming is everybody's who may edit; who cancelled stays written.
    editor.does("annotate", ROLLOUT, "roll", f"{PAUSED_BY}-")
    assert CANCELLED_BY in editor.is_refused("annotate", ROLLOUT, "roll", f"{CANCELLED_BY}-")
    admin.does("annotate", ROLLOUT, "roll", f"{CANCELLED_BY}-")


# ---- past the maintenance window ---------------------------------------------------------------


def test_the_window_is_overridden_by_those_who_may(
    editor: Person, api: Person, bind: Callable[..., Person]
) -> None:
    why = editor.is_refused(*CREATE, given=rollout(overrideWindow=True))
    assert "spec.overrideWindow starts updates outside of the maintenance window" in why
    assert f"{editor.name} lacks the verb override-window on rollouts there" in why
    assert "leave it out and the rollout waits for the window" in why
    assert "bind the ClusterRole hydracore-out-of-window in this namespace" in why
    editor.does(*CREATE, given=rollout("within", overrideWindow=False))
    api.does(*CREATE, given=rollout("urgent", overrideWindow=True))
    roles = ("hydracore-editor", "hydracore-out-of-window")
    trusted = bind("max", *roles, to=("override-window", ROLLOUT))
    trusted.does(*CREATE, given=rollout(overrideWindow=True))
    # Whoever edits such a rollout later need not be trusted so far.
    editor.does(*merge(ROLLOUT, "roll", {"spec": {"paused": True}}))


# ---- letting a rollout go on to its next wave --------------------------------------------------

APPROVE, APPROVED_BY = "hydracore.io/approve", "hydracore.io/approved-by"


def test_rollouts_are_approved_by_those_who_may(
    editor: Person, api: Person, bind: Callable[..., Person]
) -> None:
    editor.does(*CREATE, given=rollout())
    approval = f"{APPROVE}=1@abc"
    for marks in ([approval], [f"{APPROVED_BY}={editor.name}"]):
        why = editor.is_refused("annotate", ROLLOUT, "roll", *marks)
        assert "say that a person let the rollout go on to its next wave" in why
        assert f"{editor.name} lacks the verb approve on rollouts in namespace" in why
        assert "bind the ClusterRole hydracore-approver in this namespace" in why
    born = rollout("born", metadata={"annotations": {APPROVE: "1@abc"}})
    assert "lacks the verb approve" in editor.is_refused(*CREATE, given=born)

    roles = ("hydracore-editor", "hydracore-approver")
    approver = bind("amy", *roles, to=("approve", ROLLOUT))
    approver.does("annotate", ROLLOUT, "roll", approval, f"{APPROVED_BY}={approver.name}")
    assert "verb approve" in editor.is_refused("annotate", ROLLOUT, "roll", f"{APPROVE}-")
    # Whoever edits an approved rollout need not be allowed to approve it.
    editor.does(*merge(ROLLOUT, "roll", {"spec": {"paused": True}}))
    api.does("annotate", "--overwrite", ROLLOUT, "roll", approval, f"{APPROVED_BY}=key:1")


def test_nobody_approves_in_anothers_name(api: Person, bind: Callable[..., Person]) -> None:
    roles = ("hydracore-editor", "hydracore-approver")
    approver = bind("amy", *roles, to=("approve", ROLLOUT))
    approver.does(*CREATE, given=rollout())
    forged = (f"{APPROVE}=1@abc", f"{APPROVED_BY}=boss")
    why = approver.is_refused("annotate", ROLLOUT, "roll", *forged)
    assert f"says that boss approved this, but it is {approver.name} who does" in why
    assert "write your own user name there, or remove it" in why
    # Nor does the name beside an old approval stand for a new one.
    api.does("annotate", ROLLOUT, "roll", f"{APPROVE}=1@abc", f"{APPROVED_BY}=key:1")
    later = ("annotate", "--overwrite", ROLLOUT, "roll", f"{APPROVE}=2@abc")
    assert "says that key:1 approved this" in approver.is_refused(*later)
    approver.does(*later, f"{APPROVED_BY}-")


# ---- labels and annotations of ours ------------------------------------------------------------

MARKED = [
    ({"labels": {"hydracore.io/managed-by": "api"}}, "hydracore.io/managed-by"),
    ({"annotations": {"hydracore.io/adopt": "server-1"}}, "hydracore.io/adopt"),
    ({"annotations": {"hydracore.io/bootstrap-seq": "7"}}, "hydracore.io/bootstrap-seq"),
]


@pytest.mark.parametrize(("metadata", "key"), MARKED)
def test_marks_are_hydracores(
    editor: Person, api: Person, metadata: dict[str, JSON], key: str
) -> None:
    why = editor.is_refused(*CREATE, given=instance(metadata=metadata))
    assert f"{key} may be set, changed or removed by HydraCore only" in why
    assert f"{editor.name} lacks the verb set-marks on instances in" in why
    assert "yours below hydracore.io/ are the annotations paused, cancel and resumed-at" in why
    api.does(*CREATE, given=instance(metadata=metadata))
    editor.does(*merge("instance", "ada", {"spec": {"agentName": "Ada"}}))
    changed: JSON = {place: {key: "other"} for place in metadata}
    assert key in editor.is_refused(*merge("instance", "ada", {"metadata": changed}))
    removed: JSON = {place: {key: None} for place in metadata}
    assert key in editor.is_refused(*merge("instance", "ada", {"metadata": removed}))


def test_people_have_marks_of_their_own(editor: Person) -> None:
    own: JSON = {"team": "blue", "hydracore.io.example.org/x": "z"}
    editor.does(*CREATE, given=instance(metadata={"labels": own, "annotations": own}))
    editor.does("annotate", "instance", "ada", "hydracore.io/paused=true")
    editor.does("annotate", "instance", "ada", "hydracore.io/paused-")
    editor.does(*CREATE, given=rollout())
    editor.does("annotate", ROLLOUT, "roll", "hydracore.io/resumed-at=2025-01-02T03:04:05Z")
    editor.does("annotate", ROLLOUT, "roll", "hydracore.io/cancel=Graceful")


# ---- targets -----------------------------------------------------------------------------------


def test_targets_are_made_by_the_operator_only(
    editor: Person, operator: Person, admin: Person, bind: Callable[..., Person]
) -> None:
    assert "cannot create resource" in editor.is_refused(*CREATE, given=target())
    # Nor by those to whom somebody gave more than our roles do.
    admin.does("create", "role", "maker", "--verb=create", "--resource=rollouttargets.hydracore.io")
    user = f"--user={editor.name}"
    admin.does("create", "rolebinding", "maker", "--role=maker", user)
    until(lambda: editor.may("create", "rollouttargets.hydracore.io"), "the right")
    why = editor.is_refused(*CREATE, given=target())
    assert "RolloutTargets are made by the operator only" in why
    assert f"{editor.name} lacks the verb set-owner on rollouttargets in" in why
    assert "create a Rollout with spec.instanceNames instead" in why
    operator.does(*CREATE, given=target())


def test_a_target_stays_with_its_rollout(
    editor: Person, operator: Person, admin: Person, uid: str
) -> None:
    operator.does(*CREATE, given=target(uid=uid))
    moved = target(owner="other")["metadata"]["ownerReferences"]
    for references in (moved, []):
        body = {"metadata": {"ownerReferences": references}}
        why = editor.is_refused(*merge("rollouttarget", "goal", body))
        assert "metadata.ownerReferences of a RolloutTarget say to which Rollout it belongs" in why
        assert "to retry a target, raise spec.attempt by one" in why
    editor.does("label", "rollouttarget", "goal", "team=blue")
    assert "set-marks on rollouttargets" in editor.is_refused(
        "label", "rollouttarget", "goal", "hydracore.io/rollout=other"
    )
    # Not even an administrator may hang it onto another Rollout, or onto something else.
    refused = admin.is_refused(
        *merge("rollouttarget", "goal", {"metadata": {"ownerReferences": moved}})
    )
    assert (
        "RolloutTarget goal may be owned by the Rollout roll of its own namespace only" in refused
    )


def test_the_garbage_collector_may_let_go_of_owners(
    operator: Person, admin: Person, uid: str
) -> None:
    operator.does(*CREATE, given=target(uid=uid))
    account = "system:serviceaccount:kube-system:generic-garbage-collector"
    options = (f"--as={account}", "--as-group=system:serviceaccounts:kube-system")
    collector = Person("collector", admin.namespace, admin.kubectl, options)
    body: JSON = {"metadata": {"ownerReferences": []}}
    collector.does(*merge("rollouttarget", "goal", body))


# ---- references --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "field"),
    [
        (rollout(bundleName="other/b"), "spec.bundleName"),
        (rollout(instanceNames=["other/ada"]), "spec.instanceNames[0]"),
        (instance(className="other/s"), "spec.className"),
        (action(instanceName="other/ada"), "spec.instanceName"),
        (target(instanceName="other/ada"), "spec.instanceName"),
        (target(rolloutName="other/roll", owner=None), "spec.rolloutName"),
    ],
)
def test_no_reference_leaves_its_namespace(admin: Person, given: JSON, field: str) -> None:
    why = admin.is_refused(*CREATE, given=given)
    assert f"{field}: Invalid value" in why
    assert "references stay within the namespace of their object, so write the plain name" in why
