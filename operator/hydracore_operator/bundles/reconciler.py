"""One Bundle: finalizer, quarantine, verification, and on deletion who still needs it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from hydracore_artifacts.errors import ArtifactError, ArtifactMissing, StoreUnavailable
from hydracore_core.versions import parse
from hydracore_crds import Bundle, conditions
from hydracore_crds.base import ConditionStatus, find, set_condition
from hydracore_crds.names import FINALIZER
from hydracore_history import HistoryUnavailable
from hydracore_kube import NotFound
from hydracore_operator.bundles.quarantine import settle_quarantine
from hydracore_operator.bundles.users import sentence, users_of
from hydracore_operator.context import Context

_ASK_AGAIN = timedelta(seconds=10)
_MISSING_RETRY = timedelta(seconds=30)
_BROKEN_RETRY = timedelta(minutes=5)
_FIRST_BACKOFF = timedelta(seconds=2)
_MAX_BACKOFF = timedelta(minutes=2)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What the condition Ready is to say, and when to look again."""

    status: ConditionStatus
    reason: str
    message: str
    again: timedelta | None = None


class BundleReconciler:
    """Reconciles Bundles by name.

    A verified artifact is not read again until the operator starts anew: it is named by its
    digest, and agents check it themselves. A broken one is looked at again now and then, since
    somebody may have mended the store.
    """

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._known: dict[str, tuple[_Outcome, datetime | None]] = {}
        self._unavailable: dict[str, int] = {}

    async def reconcile(self, key: str) -> timedelta | datetime | None:
        """Verify the bundle or let it go; return when to look again.

        Raises:
            KubeError: The API server refused or is away; Conflict where the object changed.
        """
        bundle = self._ctx.stores.bundles.get(key)
        if bundle is None:
            return None
        try:
            if bundle.deleting:
                return await self._release(bundle)
            return await self._verify(bundle)
        except NotFound:
            self._ctx.stores.bundles.remove(key, bundle.metadata.uid)
            return None

    async def _verify(self, bundle: Bundle) -> datetime | None:
        uid = bundle.metadata.uid
        if FINALIZER not in bundle.metadata.finalizers:
            wanted = [*bundle.metadata.finalizers, FINALIZER]
            bundle = await self._ctx.kube.set_finalizers(bundle, wanted)
            self._ctx.stores.bundles.upsert(bundle)
        # Before the artifact is read, which takes its time: others are about to get it.
        bundle, release = await settle_quarantine(self._ctx, bundle)
        now = self._ctx.now()
        outcome, until = self._known.get(uid, (None, None))
        if outcome is None or (until is not None and until <= now):
            outcome = _refused(bundle) or await self._examine(bundle)
            until = now + outcome.again if outcome.again is not None else None
            self._known[uid] = (outcome, until)
        await self._write(bundle, outcome)
        return min((at for at in (until, release) if at is not None), default=None)

    async def _examine(self, bundle: Bundle) -> _Outcome:
        uid, spec = bundle.metadata.uid, bundle.spec
        try:
            await self._ctx.artifacts.verify(spec, self._ctx.trusted)
        except StoreUnavailable as error:
            self._unavailable[uid] = self._unavailable.get(uid, 0) + 1
            return self._away(bundle, error)
        except ArtifactError as error:
            again = _MISSING_RETRY if isinstance(error, ArtifactMissing) else _BROKEN_RETRY
            return _Outcome("False", error.reason, str(error), again)
        self._unavailable.pop(uid, None)
        log.info("bundle_verified", bundle=bundle.key, sha256=spec.artifact.sha256)
        return _Outcome(
            "True",
            conditions.VERIFIED,
            f"the artifact {spec.artifact.sha256} is there, signed by key {spec.signature.key_id}",
        )

    def _away(self, bundle: Bundle, error: StoreUnavailable) -> _Outcome:
        """Back off; a bundle that was verified before stays offered, since nothing is known."""
        failures = self._unavailable[bundle.metadata.uid]
        again = min(_MAX_BACKOFF, _FIRST_BACKOFF * 2 ** min(failures - 1, 10))
        ready = find(bundle.status.conditions, conditions.READY)
        if ready is not None and ready.status == "True":
            return _Outcome(ready.status, ready.reason, ready.message, again)
        return _Outcome("False", error.reason, f"{error}. It is tried again", again)

    async def _release(self, bundle: Bundle) -> timedelta | None:
        if FINALIZER not in bundle.metadata.finalizers:
            return None
        try:
            users = await users_of(self._ctx, bundle)
        except HistoryUnavailable as error:
            text = f"deletion waits: the database cannot say who may go back to it ({error})"
            await self._wait(bundle, conditions.HISTORY_UNAVAILABLE, text)
            return _ASK_AGAIN
        if users:
            text = f"deletion waits: it is needed by {sentence(users)}"
            await self._wait(bundle, conditions.IN_USE, text)
            return _ASK_AGAIN
        left = [f for f in bundle.metadata.finalizers if f != FINALIZER]
        await self._ctx.kube.set_finalizers(bundle, left)
        self._known.pop(bundle.metadata.uid, None)
        self._unavailable.pop(bundle.metadata.uid, None)
        log.info("bundle_released", bundle=bundle.key)
        return None

    async def _wait(self, bundle: Bundle, reason: str, message: str) -> None:
        """Say why deletion waits; whether its bytes are good is said no longer."""
        await self._write(bundle, _Outcome("False", reason, message))

    async def _write(self, bundle: Bundle, outcome: _Outcome) -> None:
        status = bundle.status.model_copy(deep=True)
        status.observed_generation = bundle.metadata.generation
        status.conditions = set_condition(
            status.conditions,
            conditions.READY,
            outcome.status,
            reason=outcome.reason,
            message=outcome.message,
            now=self._ctx.now(),
            generation=bundle.metadata.generation,
        )
        written = await self._ctx.kube.update_status(bundle, status)
        self._ctx.stores.bundles.upsert(written)


def _refused(bundle: Bundle) -> _Outcome | None:
    """Refuse what the schema cannot: a numeric prerelease with leading zeros is no SemVer."""
    spec = bundle.spec
    if parse(spec.version) is None:
        return _Outcome(
            "False",
            conditions.INVALID_VERSION,
            f"spec.version {spec.version!r} is no semantic version (SemVer 2.0.0; a numeric part "
            "has no leading zero): publish the artifact again with a valid one",
        )
    return None
