"""Rollouts that nobody asks for: once for each bundle and tenant, for those whose policy is auto.

A rollout is made when the available runtime bundle of a slug (ready, neither yanked nor a
prerelease) is newer than what an instance with the policy ``auto`` runs. It is a rollout like any
other: it waits for the window, keeps the limits, and can be paused, cancelled and taken back. Whom
it reaches is decided when it starts, by ``spec.onlyAuto``.

It is made once. History remembers it by bundle and digest, so neither its removal nor a policy that
is made anew, nor a restored backup, brings it back: who is not reached by it waits for the next
bundle, or for a person.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from hydracore_core.quarantine import quarantine_of
from hydracore_core.rollouts.artifacts import pin
from hydracore_core.rollouts.model import Note
from hydracore_core.rollouts.selection import skip_reason
from hydracore_core.versions import available
from hydracore_crds import Bundle, Instance, ObjectMeta, Rollout, UpdatePolicy
from hydracore_crds.names import MANAGED_BY_LABEL
from hydracore_crds.rollout import FINAL_STATES, RolloutSpec, Selector, Strategy, Wave

ACTOR = "auto"
"""``spec.initiatedBy`` of these rollouts."""
EXECUTION_KIND = "AutoRollout"
"""Under which history remembers that one was made."""
STRATEGY = Strategy(waves=[Wave(name="canary", count=1, bake_seconds=600)])
"""One instance first, watched for ten minutes; one failure halts until a person looks.

Taking back by itself is not chosen: a single failure late in a large fleet would restart all that
went well.
"""
MAX_NAME = 57
"""Target names add six characters to their rollout's."""


@dataclass(frozen=True, slots=True)
class AutoView:
    """What is looked at, of one tenant.

    Attributes:
        namespace: The tenant's namespace.
        namespace_uid: Its ``metadata.uid``.
        policy: The tenant's UpdatePolicy, if any.
        bundles: All bundles.
        rollouts: All Rollouts of the namespace.
        instances: All Instances of the namespace.
        made: By bundle name, whether history says that its rollout was made; absent: not asked.
    """

    namespace: str
    namespace_uid: str
    policy: UpdatePolicy | None = None
    bundles: Sequence[Bundle] = ()
    rollouts: Sequence[Rollout] = ()
    instances: Sequence[Instance] = ()
    made: Mapping[str, bool] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AutoPlan:
    """What is to be done; all of it can be repeated.

    Attributes:
        ask: Bundles of which history is to be asked whether their rollout was made.
        make: Rollouts to be created, with their bundles.
        remember: Rollouts that are there, for history, with their bundles.
        notes: Why, for people.
    """

    ask: tuple[Bundle, ...] = ()
    make: tuple[tuple[Rollout, Bundle], ...] = ()
    remember: tuple[tuple[Rollout, Bundle], ...] = ()
    notes: tuple[Note, ...] = ()


def plan_auto(view: AutoView) -> AutoPlan:
    """Decide which rollouts the operator makes by itself in one tenant.

    The same view gives the same plan, in whatever order its lists are. Carrying it out and
    planning again gives nothing to do.
    """
    ask, make, remember, notes = [], [], [], []
    for slug in sorted({instance.spec.runtime_type for instance in view.instances}):
        bundle = available(view.bundles, "runtime", slug)
        if bundle is None or view.made.get(bundle.metadata.name):
            continue
        wanted = _rollout(view, bundle)
        there = _made(view, bundle)
        if there is not None:
            remember.append((there, bundle))
            continue
        why_not = _obstacle(view, bundle, wanted)
        if why_not is not None:
            notes.append(Note(f"bundle/{bundle.metadata.name}", why_not))
        elif not _reaches(view, bundle, wanted.spec):
            continue
        elif bundle.metadata.name not in view.made:
            ask.append(bundle)
        else:
            make.append((wanted, bundle))
    return AutoPlan(tuple(ask), tuple(make), tuple(remember), tuple(notes))


def auto_name(view: AutoView, bundle: Bundle) -> str:
    """Return the rollout's name: the same in every process, at most 57 characters.

    It depends on the bundle, its digest, and the UpdatePolicy's uid (without one the namespace's).
    """
    whose = view.policy.metadata.uid if view.policy is not None else view.namespace_uid
    facts = (bundle.metadata.name, bundle.spec.artifact.sha256, whose)
    suffix = hashlib.sha256("\n".join(facts).encode()).hexdigest()[:10]
    stem = re.sub(r"[^a-z0-9]+", "-", f"auto-{bundle.spec.slug}-{bundle.spec.version}".lower())
    return f"{stem[: MAX_NAME - len(suffix) - 1].rstrip('-')}-{suffix}"


def _rollout(view: AutoView, bundle: Bundle) -> Rollout:
    return Rollout(
        metadata=ObjectMeta(
            name=auto_name(view, bundle),
            namespace=view.namespace,
            labels={MANAGED_BY_LABEL: "operator"},
        ),
        spec=RolloutSpec(
            bundle_name=bundle.metadata.name,
            scope="fleet",
            selector=Selector(),
            only_auto=True,
            initiated_by=ACTOR,
            strategy=STRATEGY,
        ),
    )


def _made(view: AutoView, bundle: Bundle) -> Rollout | None:
    """Return the rollout that the operator has made of these very bytes, if it is there."""
    found = (
        rollout
        for rollout in _of(view.rollouts, bundle)
        if rollout.spec.only_auto and rollout.metadata.labels.get(MANAGED_BY_LABEL) == "operator"
    )
    return min(found, key=lambda rollout: rollout.metadata.name, default=None)


def _of(rollouts: Iterable[Rollout], bundle: Bundle) -> Iterable[Rollout]:
    digest = bundle.spec.artifact.sha256
    for rollout in rollouts:
        artifact = rollout.status.artifact
        if rollout.spec.bundle_name == bundle.metadata.name and (
            artifact is None or artifact.sha256 == digest
        ):
            yield rollout


def _obstacle(view: AutoView, bundle: Bundle, wanted: Rollout) -> str | None:
    """Return why the rollout must not be made now, whomever it would reach."""
    shut = quarantine_of(bundle)
    if shut is not None:
        return f"it is in quarantine ({shut.reason})"
    if any(rollout.metadata.name == wanted.metadata.name for rollout in view.rollouts):
        return f"somebody else's rollout is named {wanted.metadata.name}: delete it"
    busy = [r for r in _of(view.rollouts, bundle) if r.status.state not in FINAL_STATES]
    if busy:
        name = min(rollout.metadata.name for rollout in busy)
        return f"the rollout {name} of it has not ended yet; what that leaves is looked at then"
    return None


def _reaches(view: AutoView, bundle: Bundle, spec: RolloutSpec) -> bool:
    artifact = pin(bundle)
    return any(
        skip_reason(instance, spec, artifact, view.policy) is None for instance in view.instances
    )
