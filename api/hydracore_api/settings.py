"""Settings of the API, read from the environment (prefix ``HYDRACORE_``) when it starts."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import NoDecode

from hydracore_artifacts.settings import StoreSettings

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Settings(StoreSettings):
    """What the API needs to know. Secrets are read from files where they can be."""

    kubeconfig: str | None = Field(
        default=None, description="Path of the kubeconfig; absent: the pod's service account."
    )
    operator_namespace: str = "hydracore-system"
    cluster_name: str = "local"
    database_url: str = Field(description="sqlite+aiosqlite:////abs/path.db or postgresql+psycopg")
    artifacts_signed_urls: bool = Field(
        default=False,
        description="Send agents to the S3 store with a signed URL, instead of serving bundles.",
    )
    artifacts_signed_url_seconds: int = Field(
        default=300, ge=10, le=3600, description="How long such a URL may be used to begin."
    )
    control_plane_key_file: Path = Field(description="Ed25519 private key, PEM.")
    trusted_bundle_keys_file: Path = Field(description="JSON list of {keyId, publicKey}.")
    listen: str = Field(default="127.0.0.1:8080", description="host:port; port 0 takes a free one.")
    listen_file: Path | None = Field(
        default=None, description="The real URL is written here once requests are answered."
    )
    server_secret_file: Path = Field(description="At least 32 random bytes: keys API-key hashes.")
    ops_token: SecretStr = Field(description="Bearer token of /internal/v1; empty shuts it.")
    trusted_proxies: Annotated[tuple[Network, ...], NoDecode] = Field(
        default=(), description="Networks whose X-Forwarded-For is believed, by commas."
    )
    max_body_bytes: int = Field(default=1024 * 1024, ge=1024)
    receive_seconds: float = Field(default=30, gt=0, description="Time to receive one request.")
    rollout_wait_seconds: float = Field(
        default=5, ge=0, description="How long a rollout's POST waits for the operator's targets."
    )
    action_wait_seconds: float = Field(
        default=30, ge=0, description="How long an action's POST waits for its end."
    )
    smoke_namespace: str | None = Field(
        default=None, description="Namespace of the tenant that smoke tests run in; absent: none."
    )
    smoke_customer_id: str | None = Field(
        default=None, description="Customer whose instances smoke tests may make and see."
    )
    heartbeat_seconds: int = Field(default=30, ge=1, le=3600)

    @field_validator("trusted_proxies", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        return tuple(
            ipaddress.ip_network(part.strip()) for part in value.split(",") if part.strip()
        )

    def address(self) -> tuple[str, int]:
        """Return host and port of ``listen``.

        Raises:
            ValueError: It is not ``host:port``.
        """
        host, separator, port = self.listen.rpartition(":")
        if not separator or not port.isdigit() or int(port) > 65535:  # noqa: PLR2004
            raise ValueError(
                f"HYDRACORE_LISTEN is {self.listen!r}: it must be host:port, e.g. 127.0.0.1:8080"
            )
        return host.strip("[]") or "127.0.0.1", int(port)
