"""Wire forms of ``/agent/v1`` (snake_case JSON)."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from hydracore_api.wire import Body, View
from hydracore_crds.base import Sha256, ShortText, Uuid

KEY_BYTES = 32
BootstrapStage = Literal["booting", "cloud_init", "agent_enrolled", "bundle_installed", "healthy"]


def _public_key(value: str) -> str:
    try:
        raw = base64.b64decode(value, validate=True)
    except binascii.Error:
        raw = b""
    if len(raw) != KEY_BYTES:
        raise ValueError(f"must be base64 of the {KEY_BYTES} bytes of an Ed25519 public key")
    return value


PublicKey = Annotated[str, StringConstraints(max_length=64), AfterValidator(_public_key)]


class StageReport(Body):
    """How far the server has come."""

    instance_id: Uuid
    stage: BootstrapStage
    seq: int = Field(
        ge=0, le=2**31 - 1, description="Rises with each report; lower ones are stale."
    )
    level: Literal["info", "warning", "error"] = "info"
    message: Annotated[str, StringConstraints(max_length=4096)] = ""


class StageAccepted(View):
    """Whether the report was new."""

    accepted: bool = Field(description="False: a report with this number or a higher one is known.")
    last_seq: int


class Enrolment(Body):
    """A server that asks for its agent's key."""

    instance_id: Uuid
    public_key: PublicKey = Field(description="The agent's Ed25519 identity, raw, base64.")


class Issued(View):
    """The agent's key. It is shown this once."""

    agent_key: str


class RuntimeVersion(Body):
    """The runtime that runs."""

    slug: ShortText
    version: ShortText
    sha256: Sha256 | None = None


class ComponentVersion(BaseModel):
    """A skill or MCP server that runs."""

    model_config = ConfigDict(extra="ignore")

    slug: ShortText
    version: ShortText
    sha256: Sha256 | None = None


class Versions(Body):
    """The version manifest."""

    runtime: RuntimeVersion | None = None
    skills: list[ComponentVersion] = Field(default_factory=list, max_length=500)
    mcp_servers: list[ComponentVersion] = Field(default_factory=list, max_length=500)


class Heartbeat(Body):
    """What an agent says of itself from time to time."""

    instance_id: Uuid
    uptime_seconds: float = Field(ge=0, le=2**53)
    health_status: Literal["healthy", "degraded", "unhealthy"]
    versions: Versions


class ControlPlanePublicKey(View):
    """A key whose requests and orders agents obey."""

    kid: str
    public_key: str


class BundlePublicKey(View):
    """A key whose bundles agents install."""

    key_id: str
    public_key: str


class HeartbeatAnswer(View):
    """When to call again, and the keys that count now."""

    next_seconds: int
    control_plane_keys: list[ControlPlanePublicKey]
    trusted_bundle_keys: list[BundlePublicKey]


def manifest(versions: Versions) -> dict[str, Any]:
    """Return the version manifest as it is stored."""
    return versions.model_dump(mode="json")
