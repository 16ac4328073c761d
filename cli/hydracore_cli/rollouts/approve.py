"""Approving a wave: first what it stands for, then, by its token, the word itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from hydracore_cli.errors import CliError
from hydracore_core.rollouts.approvals import Question, judge, question
from hydracore_core.rollouts.texts import called, count, listed
from hydracore_crds import Rollout, RolloutTarget
from hydracore_crds.names import APPROVE_ANNOTATION, APPROVED_BY_ANNOTATION
from hydracore_kube import Conflict, KubeClient, NotFound
from hydracore_kube.errors import Forbidden

TRIES = 10
"""How often a write is tried while the operator writes the same object."""

_REVIEWS = "/apis/authentication.k8s.io/v1/selfsubjectreviews"


async def describe(kube: KubeClient, namespace: str, name: str) -> list[str]:
    """Return, in lines, what an approval would let happen, and how to give it.

    Raises:
        CliError: There is no such rollout, or it waits for no approval.
        KubeError: The API server refuses or is away.
    """
    rollout = await find_rollout(kube, namespace, name)
    asked = question(rollout)
    if asked is None:
        raise CliError(_plain(judge(rollout, "").message))
    targets, _ = await kube.list(
        RolloutTarget, namespace, field_selector=f"spec.rolloutName={name}"
    )
    return _lines(rollout, asked, targets)


async def approve(kube: KubeClient, namespace: str, name: str, token: str) -> str:
    """Approve a wave in the caller's name; return what was done.

    Raises:
        CliError: There is no such rollout, or this is not what it waits for.
        KubeError: The API server refuses (the verb ``approve`` is missing) or is away.
    """
    for _ in range(TRIES):
        rollout = await find_rollout(kube, namespace, name)
        verdict = judge(rollout, token)
        if verdict.kind == "refused":
            raise CliError(_plain(verdict.message))
        if verdict.kind == "known":
            return f"{token} of {name} was approved before: nothing to do"
        metadata = {
            "uid": rollout.metadata.uid,
            "resourceVersion": rollout.metadata.resource_version,
            "annotations": {
                APPROVE_ANNOTATION: token,
                APPROVED_BY_ANNOTATION: await who_am_i(kube),
            },
        }
        try:
            await kube.patch(Rollout, name, namespace, {"metadata": metadata})
        except Conflict:
            continue
        return f"approved {token} of {name}: the next wave begins"
    raise CliError(f"{name} is changing too fast: look at it and try again")


async def find_rollout(kube: KubeClient, namespace: str, name: str) -> Rollout:
    """Return a rollout.

    Raises:
        CliError: there is none of this name.
    """
    try:
        return await kube.get(Rollout, name, namespace)
    except NotFound:
        raise CliError(
            f"there is no Rollout {name} in namespace {namespace}: see `kubectl -n {namespace} "
            "get rollouts`"
        ) from None


async def who_am_i(kube: KubeClient) -> str | None:
    """Return by which name the API server knows us; None where it does not tell."""
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    try:
        review = await kube.create_raw(_REVIEWS, body)
    except (NotFound, Forbidden):
        return None
    return str(((review.get("status") or {}).get("userInfo") or {}).get("username") or "") or None


def _lines(rollout: Rollout, asked: Question, targets: Sequence[RolloutTarget]) -> list[str]:
    waves, name = rollout.status.waves or [], rollout.metadata.name
    lines = [f"{name} ({rollout.spec.bundle_name}) waits for approval:"]
    for number in range(1, len(waves) + 1):
        members = [target for target in targets if target.spec.wave == number]
        states = Counter(target.status.state or "queued" for target in members)
        went = ", ".join(f"{many} {state}" for state, many in sorted(states.items()))
        then = "" if number <= asked.wave else f": {_named(members)}"
        lines.append(f"  {called(number, waves)}, {went or 'no targets'}{then}")
    more = sum(wave.planned for wave in waves[asked.wave :])
    plan = rollout.status.plan_hash
    return [
        *lines,
        f"An approval lets the next wave begin, of {count(more, 'target')} to come by plan {plan}.",
        "Nothing is approved yet. To approve exactly this:",
        f"  hydracore rollouts approve {name} {asked.token} -n {rollout.metadata.namespace}",
    ]


def _named(targets: Sequence[RolloutTarget]) -> str:
    return listed([target.spec.instance_name for target in targets])


def _plain(message: str) -> str:
    """Return a message as the rest of ``hydracore: …``."""
    return message[:1].lower() + message[1:]
