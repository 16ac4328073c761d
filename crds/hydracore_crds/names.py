"""Labels, annotations and finalizers, each with who writes it and what it means."""

TENANT_LABEL = "hydracore.io/tenant-id"
"""On a namespace: it is a tenant, with this id. Written by administrators."""

MANAGED_BY_LABEL = "hydracore.io/managed-by"
"""On custom resources made by REST (``api``) or the operator (``operator``); absent otherwise."""

INSTANCE_ID_LABEL = "hydracore.io/instance-id"
"""On provider servers: the id of the Instance they belong to."""

ROLLOUT_LABEL = "hydracore.io/rollout"
"""On a RolloutTarget: the name of its Rollout."""

PAUSED_ANNOTATION = "hydracore.io/paused"
"""On an Instance, ``"true"``: the operator leaves it alone."""

PAUSED_BY_ANNOTATION = "hydracore.io/paused-by"
"""On a Rollout: paused, by this actor. Written by REST's pause, removed by its resume."""

CANCEL_ANNOTATION = "hydracore.io/cancel"
"""On a Rollout: ``Graceful`` or ``Force``, with the meaning of ``spec.cancel``. From REST."""

CANCELLED_BY_ANNOTATION = "hydracore.io/cancelled-by"
"""On a Rollout: who cancelled it by REST."""

CREATED_BY_ANNOTATION = "hydracore.io/created-by"
"""On a Rollout: the Kubernetes user who created it, where REST did not. Stamped by the API server
(``manifests/stamps``), as ``kubernetes-user NAME``."""

SPEC_PAUSED_BY_ANNOTATION = "hydracore.io/spec-paused-by"
"""On a Rollout: who last set ``spec.paused``. Stamped by the API server."""

RESUMED_BY_ANNOTATION = "hydracore.io/resumed-by"
"""On a Rollout: who last resumed it. Written by REST's resume, else stamped by the API server."""

RETRIED_BY_ANNOTATION = "hydracore.io/retried-by"
"""On a RolloutTarget: who last raised ``spec.attempt``. Written by REST's retry, else stamped."""

RESUMED_AT_ANNOTATION = "hydracore.io/resumed-at"
"""On a Rollout: RFC 3339 time at which a person resumed it; failures before it were accepted.

REST's resume writes it; with kubectl, annotate the Rollout with the current time.
"""

APPROVE_ANNOTATION = "hydracore.io/approve"
"""On a Rollout: ``<wave>@<plan hash>`` approves the step after that wave of that very plan."""

APPROVED_BY_ANNOTATION = "hydracore.io/approved-by"
"""On a Rollout: who approved it by REST."""

ROLLBACK_ANNOTATION = "hydracore.io/rollback"
"""On a Rollout, any text: take back what it has updated. There is no way back from it."""

ROLLED_BACK_BY_ANNOTATION = "hydracore.io/rolled-back-by"
"""On a Rollout: who asked for that by REST."""

SET_BY_ANNOTATION = "hydracore.io/set-by"
"""On the PlatformPolicy: ``<generation> <who>``, who set the spec of that generation by REST."""

RELEASE_QUARANTINE_ANNOTATION = "hydracore.io/release-quarantine"
"""On a Bundle: RFC 3339 time up to which all that spoke against it is forgiven.

Written by administrators; a time that lies ahead counts from then on.
"""

WAKE_ANNOTATION = "hydracore.io/bootstrap-seq"
"""On an Instance: the newest stage report's number, written by the API to wake the operator."""

FINALIZER = "hydracore.io/operator"
"""Held by the operator on Instances, Rollouts and Bundles until what they stand for is gone."""
