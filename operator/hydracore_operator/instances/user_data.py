"""What a server reads at its first boot."""

from __future__ import annotations

from typing import Any

from hydracore_agentclient import bootstrap_token
from hydracore_crds import Bundle, Instance
from hydracore_operator.context import Context

FIRST_ARMING = 1
"""The bootstrap token's counter: an instance is armed once, before its server is created."""


def first_token(ctx: Context, instance_id: str) -> str:
    """Return the bootstrap token of an instance; derived, so the same each time."""
    return bootstrap_token(ctx.key, instance_id, FIRST_ARMING)


def user_data(ctx: Context, instance: Instance, bundle: Bundle) -> dict[str, Any]:
    """Build the content of ``user-data.json`` but for ``listen``, which the provider adds.

    Args:
        ctx: For the token, the public keys and where the API is.
        instance: With its id set.
        bundle: The first runtime.

    Returns:
        JSON data; secret, for it holds the bootstrap token.
    """
    instance_id = instance.spec.id or ""
    return {
        "instanceId": instance_id,
        "agentName": instance.spec.agent_name or instance.metadata.name,
        "profile": profile(instance),
        "apiUrl": ctx.settings.agent_api_url,
        "bootstrapToken": first_token(ctx, instance_id),
        "controlPlaneKeys": [{"kid": ctx.key.kid, "publicKey": ctx.key.public_key_base64}],
        "trustedBundleKeys": ctx.trusted.to_wire(),
        "trialSeconds": ctx.settings.agent_trial_seconds,
        "heartbeatSeconds": ctx.settings.health_interval_seconds,
        "runtime": _runtime(bundle),
        "llm": [dict(one) for one in ctx.llm],
    }


def profile(instance: Instance) -> dict[str, Any]:
    """Return what an agent is told about whom it serves and how."""
    spec = instance.spec
    return {
        "presetId": spec.preset_id,
        "manifestId": spec.manifest_id,
        "recipeId": spec.recipe_id,
        "websiteTemplateSlug": spec.website_template_slug,
        "workflowSlugs": spec.workflow_slugs or [],
        "userDisplayName": spec.user_display_name,
        "customerId": spec.customer_id,
    }


def _runtime(bundle: Bundle) -> dict[str, Any]:
    spec = bundle.spec
    return {
        "slug": spec.slug,
        "version": spec.version,
        "sha256": spec.artifact.sha256,
        "sizeBytes": spec.artifact.size_bytes,
        "keyId": spec.signature.key_id,
        "signature": spec.signature.value,
    }
