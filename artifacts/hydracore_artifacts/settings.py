"""Where the object store is and how to get in, read from the environment (``HYDRACORE_*``).

Operator, API and CLI have the same settings for it, by the same names.
"""

from __future__ import annotations

from typing import Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from hydracore_artifacts.location import Credentials, S3Access


class StoreSettings(BaseSettings):
    """The settings of the object store; those with ``s3`` count for an ``s3://`` URL only."""

    model_config = SettingsConfigDict(
        env_prefix="HYDRACORE_", extra="ignore", frozen=True, hide_input_in_errors=True
    )

    artifacts_url: str = Field(
        description="Where artifacts lie: file:///abs/dir or s3://bucket/prefix."
    )
    artifacts_s3_endpoint: str | None = Field(
        default=None, description="http(s) URL of an S3-compatible store; absent: Amazon's."
    )
    artifacts_s3_region: str = Field(default="us-east-1", description="R2 takes auto.")
    artifacts_s3_access_key_id: str | None = Field(
        default=None,
        description="Absent: what AWS_* variables, a web identity or the machine's role give.",
    )
    artifacts_s3_secret_access_key: SecretStr | None = Field(default=None)

    @field_validator("artifacts_s3_endpoint", "artifacts_s3_access_key_id", mode="before")
    @classmethod
    def _empty_is_absent(cls, value: object) -> object:
        return value or None

    @model_validator(mode="after")
    def _both_or_neither(self) -> Self:
        key, secret = self.artifacts_s3_access_key_id, self.artifacts_s3_secret_access_key
        if (key is None) != (secret is None or not secret.get_secret_value()):
            raise ValueError(
                "HYDRACORE_ARTIFACTS_S3_ACCESS_KEY_ID and HYDRACORE_ARTIFACTS_S3_SECRET_ACCESS_KEY "
                "belong together: set both or neither"
            )
        return self

    def s3_access(self) -> S3Access:
        """Return how an ``s3://`` URL is reached."""
        key, secret = self.artifacts_s3_access_key_id, self.artifacts_s3_secret_access_key
        credentials = None
        if key is not None and secret is not None:
            credentials = Credentials(key, secret.get_secret_value())
        return S3Access(self.artifacts_s3_endpoint, self.artifacts_s3_region, credentials)
