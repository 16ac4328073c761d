"""Phase: may this Instance be ordered as it is?"""

from __future__ import annotations

from datetime import timedelta

from hydracore_core.versions import is_ready
from hydracore_crds import Instance, conditions
from hydracore_crds.base import find
from hydracore_crds.names import TENANT_LABEL
from hydracore_operator.instances.scope import Problem, Scope

_LOOK_AGAIN = timedelta(seconds=30)
"""Classes and bundles wake their instances; this is for a wake-up that got lost."""
_WAIT_FOR_BUNDLE = timedelta(seconds=5)


async def admission(scope: Scope) -> bool:
    """Look up class, region and bundle. Once a server is ordered, nothing is refused any more."""
    spec = scope.instance.spec
    scope.class_ = scope.ctx.stores.classes.get(spec.class_name)
    if scope.class_ is not None:
        scope.bundle = scope.ctx.stores.bundles.get(scope.class_.spec.bundle_name)
    provider = scope.instance.status.provider
    if provider is None or provider.server_id is None:
        scope.admission_problem = _refusal(scope)
        if scope.admission_problem is not None:
            scope.come_again(scope.admission_problem.retry_after)
    return True


def _refusal(scope: Scope) -> Problem | None:
    return (
        _namespace_refusal(scope)
        or _class_refusal(scope)
        or duplicate(scope)
        or _bundle_refusal(scope)
    )


def _namespace_refusal(scope: Scope) -> Problem | None:
    namespace = scope.ctx.stores.namespaces.get(scope.namespace)
    if namespace is None or namespace.tenant_id is None:
        return Problem(
            conditions.NOT_A_TENANT,
            f"the namespace {scope.namespace} is no tenant: label it with {TENANT_LABEL}, or "
            "create this Instance in a tenant's namespace",
            _LOOK_AGAIN,
            fatal=True,
        )
    if namespace.terminating:
        return Problem(
            conditions.DELETING,
            f"the namespace {scope.namespace} is being deleted: nothing starts in it",
            _LOOK_AGAIN,
        )
    return None


def _class_refusal(scope: Scope) -> Problem | None:
    spec = scope.instance.spec
    if scope.class_ is None:
        names = sorted(c.metadata.name for c in scope.ctx.stores.classes.all())
        return Problem(
            conditions.UNKNOWN_CLASS,
            f"spec.className: there is no InstanceClass {spec.class_name!r} "
            f"({_known(names)}). Create that class, or delete this Instance and "
            "create it with a class that exists",
            _LOOK_AGAIN,
            fatal=True,
        )
    regions = scope.class_.spec.regions
    if spec.region_id not in regions:
        return Problem(
            conditions.UNKNOWN_REGION,
            f"spec.regionId: the class {spec.class_name!r} is not sold in {spec.region_id!r} "
            f"({_known(sorted(regions))}). Delete this Instance and create it in one of "
            "these regions, or add the region to the class",
            _LOOK_AGAIN,
            fatal=True,
        )
    return None


def _bundle_refusal(scope: Scope) -> Problem | None:
    name = scope.class_.spec.bundle_name if scope.class_ else ""
    wanted = scope.instance.spec.runtime_type
    bundle = scope.bundle
    if bundle is None or bundle.deleting:
        why = f"the class's bundle {name!r} does not exist. Publish it"
    elif bundle.spec.component != "runtime" or bundle.spec.slug != wanted:
        why = (
            f"the class's bundle {name!r} is a {bundle.spec.component} {bundle.spec.slug!r}, not "
            f"the runtime {wanted!r} of spec.runtimeType. Name a bundle of that runtime in the "
            "class"
        )
    elif bundle.spec.yanked:
        why = f"the class's bundle {name!r} was withdrawn. Name another bundle in the class"
    elif not is_ready(bundle):
        ready = find(bundle.status.conditions, conditions.READY)
        state = f"{ready.reason}: {ready.message}" if ready else "it has not been verified yet"
        why = f"the class's bundle {name!r} is not ready ({state})"
    else:
        return None
    return Problem(conditions.BUNDLE_NOT_READY, why, _WAIT_FOR_BUNDLE)


def duplicate(scope: Scope) -> Problem | None:
    """Say that another holds this Instance's id; another tenant's object is not named."""
    other = holder_of_id(scope)
    if other is None:
        return None
    mine = other.metadata.namespace == scope.instance.metadata.namespace
    whose = f"of the Instance {other.metadata.name}" if mine else "taken"
    return Problem(
        conditions.DUPLICATE_ID,
        f"spec.id: the id {scope.instance_id} is {whose}. Delete this Instance and create it "
        "without spec.id",
        _LOOK_AGAIN,
        fatal=True,
    )


def holder_of_id(scope: Scope) -> Instance | None:
    """Return the other Instance that rightfully holds this one's id: the one made first."""
    if not scope.instance_id:
        return None
    mine = _seniority(scope.instance)
    for other in scope.ctx.stores.instances.indexed(scope.instance_id):
        same = other.metadata.uid == scope.instance.metadata.uid
        if not same and _seniority(other) < mine:
            return other
    return None


def _seniority(instance: Instance) -> tuple[bool, str, str]:
    """Order claims to one id: who has a server comes first, then who is older."""
    provider = instance.status.provider
    created = instance.metadata.creation_timestamp
    return (
        provider is None or provider.server_id is None,
        created.isoformat() if created else "",
        instance.metadata.uid,
    )


def _known(names: list[str]) -> str:
    shown = ", ".join(names[:20])
    return f"known: {shown}" if shown else "there is none at all"
