"""Everything that one reconcile of one Instance has read and found out."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from hydracore_crds import Bundle, Instance, InstanceClass
from hydracore_history import Credential, StageReport
from hydracore_operator.context import Context
from hydracore_operator.health.verdicts import Verdict, Verdicts
from hydracore_operator.providers import Providers, Server
from hydracore_operator.providers.errors import NameConflictError, ProviderError


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a step could not be taken.

    Attributes:
        reason: Condition reason; also ``status.errorCode``.
        message: What, where, why and what to do.
        retry_after: When another try is worth it.
        fatal: A person has to act, so the state is ``failed`` rather than ``provisioning``.
    """

    reason: str
    message: str
    retry_after: timedelta
    fatal: bool = False


def problem_of(error: ProviderError) -> Problem:
    """Turn a provider's error into a problem; the one place where that is done."""
    fatal = isinstance(error, NameConflictError)
    return Problem(error.reason, error.explain(), error.retry_after, fatal=fatal)


@dataclass
class Scope:
    """What the phases of one reconcile share. Phases fill in facts; the status is computed last.

    Attributes:
        ctx: The outer world.
        providers: The providers.
        verdicts: What the health loop believes.
        instance: The object, as last read or written.
        now: The time of this reconcile.
        class_: The instance's class, if it exists.
        bundle: The class's bundle, if it exists.
        admission_problem: Why nothing may be ordered.
        ordering: The order is about to go out; its intent is to be stored first.
        server: The server, if the provider has it.
        server_problem: Why there is none, or it cannot be used.
        credential: The enrolment's record.
        stage: The newest stage report.
        history_problem: Why SQL could not be asked.
        verdict: What is believed about the agent; None if that is not known in this reconcile.
        overdue: Why a stage counts as stuck.
    """

    ctx: Context
    providers: Providers
    verdicts: Verdicts
    instance: Instance
    now: datetime
    class_: InstanceClass | None = None
    bundle: Bundle | None = None
    admission_problem: Problem | None = None
    ordering: bool = False
    server: Server | None = None
    server_problem: Problem | None = None
    credential: Credential | None = None
    stage: StageReport | None = None
    history_problem: Problem | None = None
    verdict: Verdict | None = None
    overdue: Problem | None = None
    _again: list[timedelta] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Name of the Instance."""
        return self.instance.metadata.name

    @property
    def namespace(self) -> str:
        """Namespace of the Instance; the tenant's."""
        return self.instance.metadata.namespace or ""

    @property
    def instance_id(self) -> str:
        """The id; empty until the identity phase has set it."""
        return self.instance.spec.id or ""

    @property
    def public_key(self) -> str | None:
        """The agent's identity: what SQL says now, else what was known before."""
        if self.credential is not None:
            return self.credential.public_key
        return self.instance.status.agent_public_key

    @property
    def agent_url(self) -> str | None:
        """Where the agent is: what the provider says now, else what was known before."""
        return self.server.agent_url if self.server is not None else self.instance.status.agent_url

    def take(self, instance: Instance) -> None:
        """Go on with a newer form of the object, and let everybody read it."""
        self.instance = instance
        self.ctx.stores.instances.upsert(instance)

    def come_again(self, after: timedelta) -> None:
        """Ask for another reconcile; the soonest wish wins."""
        self._again.append(after)

    @property
    def again(self) -> timedelta | None:
        """The soonest wish, if there is any."""
        return min(self._again, default=None)
