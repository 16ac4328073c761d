"""The operator's settings, read once at start from ``HYDRACORE_*`` variables."""

from __future__ import annotations

import os
import secrets
import socket
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from hydracore_artifacts.settings import StoreSettings


def default_identity() -> str:
    """Return a name that no other process has: host, process and some randomness."""
    return f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"


def _address(value: str | None) -> str | None:
    if value is None:
        return None
    host, _, port = value.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:  # noqa: PLR2004
        raise ValueError(f"want <host>:<port>, got {value!r}")
    return value


class OperatorSettings(StoreSettings):
    """What an operator process needs to know."""

    kubeconfig: Path | None = Field(
        default=None, description="Path of a kubeconfig; absent means the pod's service account."
    )
    operator_namespace: str = Field(
        default="hydracore-system", description="Where the Lease and the ledgers live."
    )
    cluster_name: str = Field(default="local", description="Goes into server names and labels.")
    database_url: str = Field(description="SQLAlchemy URL of the history.", repr=False)
    control_plane_key_file: Path = Field(description="Ed25519 private key, PEM.")
    trusted_bundle_keys_file: Path = Field(description="JSON list of {keyId, publicKey}.")
    agent_api_url: str = Field(description="Where agents reach the API.")
    local_provider_dir: Path | None = Field(
        default=None, description="Folder of the local provider's servers."
    )
    identity: str = Field(
        default_factory=default_identity, description="Name of this process as Lease holder."
    )
    lease_seconds: float = Field(
        default=15, ge=3, le=600, description="After so long without renewal another may lead."
    )
    health_interval_seconds: float = Field(
        default=10, ge=0.2, le=3600, description="How often each agent is polled."
    )
    health_deep_interval_seconds: float = Field(
        default=900, ge=1, le=86400, description="How often each agent examines itself thoroughly."
    )
    agent_trial_seconds: float = Field(
        default=10, ge=1, le=600, description="How long a new runtime has to become healthy."
    )
    agent_llm_file: Path | None = Field(
        default=None,
        description="JSON list of {name, baseUrl, model, apiKey}: OpenAI-compatible endpoints that "
        "new agents ask in this order. Without it they chat offline.",
    )
    finished_ttl_seconds: float = Field(
        default=7 * 86400,
        ge=1,
        le=10 * 366 * 86400,
        description="How long finished objects that REST or the operator made stay in the "
        "cluster; history (SQL) keeps them.",
    )
    finished_keep: int = Field(
        default=50,
        ge=1,
        le=10000,
        description="How many finished rollouts that REST or the operator made stay in the "
        "cluster for each tenant, the newest; older ones go before their time to live is over.",
    )
    orphan_grace_seconds: float = Field(
        default=300,
        ge=1,
        le=86400,
        description="How long a server must have been seen without an Instance before it goes.",
    )
    orphan_sweep_seconds: float = Field(
        default=60,
        ge=1,
        le=3600,
        description="How often servers without an Instance are looked for.",
    )
    relist_seconds: float = Field(
        default=300,
        ge=1,
        le=3600,
        description="How often every kind is listed, lest an event that a watch lost stays lost.",
    )
    webhook_allow_http: bool = Field(
        default=False, description="Whether tenants' webhooks may be plain http (development)."
    )
    webhook_allow_private: bool = Field(
        default=False,
        description="Whether tenants' webhooks may lead to loopback, private and other addresses "
        "that are not public. The operator may reach there what tenants may not.",
    )
    workers: int = Field(default=16, ge=1, le=256, description="Reconciles at once per kind.")
    operator_status_addr: Annotated[str | None, AfterValidator(_address)] = Field(
        default=None, description="host:port for /healthz, /readyz and /status (JSON)."
    )
    log_format: str = Field(default="console", pattern="^(console|json)$")
    log_level: str = Field(default="INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$")
