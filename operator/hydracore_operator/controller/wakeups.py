"""Which change wakes which reconcile. Waking too much costs a look; too little loses an event."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from hydracore_core.notifications.occurrences import occurrences
from hydracore_core.quarantine import evidence
from hydracore_crds import (
    Bundle,
    Instance,
    InstanceAction,
    InstanceClass,
    PlatformPolicy,
    Resource,
    Rollout,
    RolloutTarget,
    UpdatePolicy,
)
from hydracore_crds.instance_action import FINISHED_STATES
from hydracore_crds.rollout import FINAL_STATES
from hydracore_kube import Namespace
from hydracore_operator.archive.reconciler import archive_key
from hydracore_operator.context import Stores
from hydracore_operator.controller.queues import Queues


@dataclass
class Wakeups:
    """Maps changes in stores to keys in queues."""

    stores: Stores
    queues: Queues
    _ends: list[Callable[[], None]] = field(default_factory=list)

    def start(self) -> None:
        """Wake everything that is known, then go on with every change."""
        stores = self.stores
        self._ends = [
            stores.instances.subscribe(self.instance),
            stores.actions.subscribe(self.action),
            stores.bundles.subscribe(self.bundle),
            stores.classes.subscribe(self.instance_class),
            stores.platform.subscribe(self.platform),
            stores.policies.subscribe(self.policy),
            stores.rollouts.subscribe(self.rollout),
            stores.targets.subscribe(self.target),
            stores.namespaces.subscribe(self.namespace),
        ]
        for bundle in stores.bundles.all():
            self.queues.bundles.add(bundle.key)
        for platform in stores.platform.all():
            self.queues.platform.add(platform.key)
        for policy in stores.policies.all():
            self.queues.policies.add(policy.key)
            self._tell(policy)
        for instance in stores.instances.all():
            self.queues.instances.add(instance.key)
        for action in stores.actions.all():
            self.queues.actions.add(action.key)
            self._finished(action)
        for store in (stores.instances, stores.rollouts, stores.targets, stores.policies):
            for obj in store.all():
                self._tenant(obj)
        for rollout in stores.rollouts.all():
            self._finished(rollout)
        for namespace in stores.namespaces.all():
            if namespace.tenant_id is not None:
                self.queues.tenants.add(namespace.key)
                self.queues.auto.add(namespace.key)

    def stop(self) -> None:
        """End all subscriptions."""
        for end in self._ends:
            end()
        self._ends.clear()

    def instance(self, old: Instance | None, new: Instance | None) -> None:
        """Wake the Instance, its tenant and actions, and Bundles that wait to be let go of."""
        obj = new or old
        if obj is not None:
            if old is None or new is None or not _only_told(old, new):
                self.queues.instances.add(obj.key)
            self._tenant(obj)
            self._open_actions(obj.metadata.namespace or "", obj.metadata.name)
            self._deleting_bundles()
            if new is not None and (old is None or _version_matters(old, new)):
                self._auto(obj)

    def action(self, old: InstanceAction | None, new: InstanceAction | None) -> None:
        """Wake the action, those that wait for it to end, and the archive."""
        obj = new or old
        if obj is not None:
            self.queues.actions.add(obj.key)
            self._finished(obj)
            self._open_actions(obj.metadata.namespace or "", obj.spec.instance_name)

    def bundle(self, old: Bundle | None, new: Bundle | None) -> None:
        """Wake the Bundle, tenants that roll it out, and Instances that it may concern.

        These are Instances whose runtime it is a version of, or whose class installs it first.
        """
        obj = new or old
        if obj is None:
            return
        self.queues.bundles.add(obj.key)
        for rollout in self.stores.rollouts.all():
            if rollout.spec.bundle_name == obj.key:
                self._tenant(rollout)
        first_of = {c.key for c in self.stores.classes.all() if c.spec.bundle_name == obj.key}
        for instance in self.stores.instances.all():
            fits = obj.spec.component == "runtime" and instance.spec.runtime_type == obj.spec.slug
            if fits or instance.spec.class_name in first_of:
                self.queues.instances.add(instance.key)
            if fits:
                self._auto(instance)

    def instance_class(self, old: InstanceClass | None, new: InstanceClass | None) -> None:
        """Wake the class's Instances."""
        obj = new or old
        if obj is not None:
            for instance in self.stores.instances.all():
                if instance.spec.class_name == obj.key:
                    self.queues.instances.add(instance.key)

    def platform(self, old: PlatformPolicy | None, new: PlatformPolicy | None) -> None:
        """Wake the platform's policy; where what is wanted changed, every tenant and its policy."""
        obj = new or old
        if obj is None:
            return
        self.queues.platform.add(obj.key)
        if old is not None and new is not None and old.spec == new.spec:
            return
        for namespace in self.stores.namespaces.all():
            if namespace.tenant_id is not None:
                self.queues.tenants.add(namespace.key)
        for policy in self.stores.policies.all():
            self.queues.policies.add(policy.key)

    def policy(self, old: UpdatePolicy | None, new: UpdatePolicy | None) -> None:
        """Wake the policy and its tenant; where its webhooks changed, those who tell them."""
        obj = new or old
        if obj is not None:
            self.queues.policies.add(obj.key)
            self._tenant(obj)
        before = old.spec.notifications if old is not None else None
        after = new.spec.notifications if new is not None else None
        if obj is not None and before != after:
            self.queues.notifications.add(obj.metadata.namespace or "")
        if obj is not None:
            self._auto(obj)

    def rollout(self, old: Rollout | None, new: Rollout | None) -> None:
        """Wake the tenant, the archive, those who tell of it, and Bundles that wait for its end.

        A Bundle is woken too that went badly by it.

        One that ends may be one too many, and one that goes may have kept others from going: both
        have the archive look at all of the tenant.
        """
        obj = new or old
        if obj is None:
            return
        self._tenant(obj)
        self._finished(obj)
        self._deleting_bundles()
        against = evidence(new) if new is not None else None
        if against is not None and (old is None or evidence(old) != against):
            self.queues.bundles.add(obj.spec.bundle_name)
        if new is None or old is None or new.status.state != old.status.state:
            self._auto(obj)
        ended = new is not None and new.status.state in FINAL_STATES
        if new is None or (ended and (old is None or old.status.state not in FINAL_STATES)):
            for other in self.stores.rollouts.in_namespace(obj.metadata.namespace or ""):
                self._finished(other)
        if new is not None and occurrences(new) != (occurrences(old) if old is not None else ()):
            self._news(new.metadata.namespace or "")

    def target(self, old: RolloutTarget | None, new: RolloutTarget | None) -> None:
        """Wake the tenant; where what is in flight changed, the policies that show how many."""
        obj = new or old
        if obj is None:
            return
        self._tenant(obj)
        before = old.status.state if old is not None else None
        after = new.status.state if new is not None else None
        if before != after and "in_progress" in (before, after):
            self._policies(obj.metadata.namespace or "")
            for platform in self.stores.platform.all():
                self.queues.platform.add(platform.key)
            self._open_actions(obj.metadata.namespace or "", obj.spec.instance_name)

    def namespace(self, old: Namespace | None, new: Namespace | None) -> None:
        """Wake the tenant and its policy; a label or an end may make or unmake a tenant."""
        obj = new or old
        if obj is not None:
            self.queues.tenants.add(obj.key)
            self.queues.auto.add(obj.key)
            self._policies(obj.key)
            self._news(obj.key)

    def _tenant(self, obj: Resource) -> None:
        if obj.metadata.namespace:
            self.queues.tenants.add(obj.metadata.namespace)

    def _auto(self, obj: Resource) -> None:
        if obj.metadata.namespace:
            self.queues.auto.add(obj.metadata.namespace)

    def _open_actions(self, namespace: str, instance_name: str) -> None:
        for action in self.stores.actions.in_namespace(namespace):
            open_ = action.status.state not in FINISHED_STATES
            if open_ and action.spec.instance_name == instance_name:
                self.queues.actions.add(action.key)

    def _finished(self, obj: Rollout | InstanceAction) -> None:
        ends = FINAL_STATES if isinstance(obj, Rollout) else FINISHED_STATES
        if obj.status.state in ends:
            self.queues.archive.add(archive_key(obj))

    def _policies(self, namespace: str) -> None:
        for policy in self.stores.policies.in_namespace(namespace):
            self.queues.policies.add(policy.key)

    def _news(self, namespace: str) -> None:
        for policy in self.stores.policies.in_namespace(namespace):
            self._tell(policy)

    def _tell(self, policy: UpdatePolicy) -> None:
        if policy.spec.notifications:
            self.queues.notifications.add(policy.metadata.namespace or "")

    def _deleting_bundles(self) -> None:
        for bundle in self.stores.bundles.all():
            if bundle.deleting:
                self.queues.bundles.add(bundle.key)


def _only_told(old: Instance, new: Instance) -> bool:
    """Whether only the status has changed, of an Instance that was ready before and after.

    Its own reconcile has written that, in one write that leaves nothing to do. Until it is ready,
    a reconcile goes on from what the one before has stored.
    """

    def wanted(one: Instance) -> tuple[object, ...]:
        meta = one.metadata
        return (meta.uid, meta.generation, meta.labels, meta.annotations, meta.finalizers)

    ready = old.status.ready_at is not None and new.status.ready_at is not None
    return ready and old.status.state == new.status.state and wanted(old) == wanted(new)


def _version_matters(old: Instance, new: Instance) -> bool:
    """Whether something has changed that decides if an instance is to be updated by itself."""

    def facts(one: Instance) -> tuple[object, ...]:
        spec, status = one.spec, one.status
        reachable = status.health_status != "unreachable"
        return (spec.runtime_type, spec.update_policy, status.state, status.runtime, reachable)

    return facts(old) != facts(new)
