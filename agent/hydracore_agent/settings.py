"""What a server is told: user-data.json, read once at start."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hydracore_agent.errors import SettingsError, describe_os_error
from hydracore_agent.fields import FieldError, Fields
from hydracore_agent.files import read_json
from hydracore_agent.updates.config import AgentConfig, first_config

MAX_BUNDLE_BYTES = 512 * 1024 * 1024
MAX_KEYS = 16
MAX_LLM = 8
HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class Listen:
    """The address that the agent serves: an IP literal and a port."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class BundleRef:
    """A bundle by digest: what to fetch and how to check it."""

    slug: str
    version: str
    sha256: str
    size_bytes: int
    key_id: str
    signature: str

    @classmethod
    def read(cls, fields: Fields) -> BundleRef:
        """Read the camelCase fields shared by user data and orders.

        Raises:
            FieldError: one is missing or wrong.
        """
        return cls(
            slug=fields.text("slug", longest=64),
            version=fields.text("version", longest=64),
            sha256=fields.digest("sha256"),
            size_bytes=fields.integer("sizeBytes", 1, MAX_BUNDLE_BYTES),
            key_id=fields.text("keyId", longest=128),
            signature=fields.text("signature", longest=256),
        )


@dataclass(frozen=True, slots=True)
class LlmProvider:
    """An OpenAI-compatible endpoint of language models.

    Attributes:
        name: What breakers and people call it.
        base_url: Below it lies ``/chat/completions``.
        model: What to ask for.
        api_key: Empty where none is needed.
    """

    name: str
    base_url: str
    model: str
    api_key: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Tuning:
    """Times in seconds that have good defaults; user data may set them under ``tuning``.

    Attributes:
        restart: Pause before a release that left with exit status 0 starts again.
        backoff_first: Pause after the first crash; doubles with each further one.
        backoff_most: Longest pause after a crash.
        trial_stable: How long a release on trial must stay healthy before it counts.
        stop: Grace before a process that was told to stop is killed.
        retry_first: Pause after the first failed fetch or call; doubles.
        retry_most: Longest pause between fetches or calls.
        stall: A transfer without a byte for this long is broken off.
    """

    restart: float = 2.0
    backoff_first: float = 1.0
    backoff_most: float = 30.0
    trial_stable: float = 1.0
    stop: float = 5.0
    retry_first: float = 0.5
    retry_most: float = 15.0
    stall: float = 10.0


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything in user-data.json that the agent and its launcher use."""

    instance_id: str
    config: AgentConfig
    api_url: str
    bootstrap_token: str = field(repr=False)
    control_plane_keys: tuple[Mapping[str, Any], ...]
    trusted_bundle_keys: tuple[Mapping[str, Any], ...]
    listen: Listen
    trial_seconds: float
    heartbeat_seconds: float
    runtime: BundleRef
    llm: tuple[LlmProvider, ...] = ()
    tuning: Tuning = field(default_factory=Tuning)


def load_settings(path: Path) -> Settings:
    """Read user-data.json.

    Raises:
        SettingsError: it is missing, unreadable or a value is wrong; the text says which.
    """
    try:
        data = read_json(path, longest=1024 * 1024)
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {describe_os_error(error)}") from error
    except ValueError as error:
        raise SettingsError(f"{path} is not JSON: {error}") from error
    if data is None:
        raise SettingsError(f"{path} does not exist: the provider writes it when it makes a server")
    try:
        return _read(Fields(data, "user-data"))
    except FieldError as error:
        raise SettingsError(f"{path}: {error}") from error


def _read(fields: Fields) -> Settings:
    name = fields.text("agentName", "agent", longest=256)
    return Settings(
        instance_id=fields.text("instanceId", longest=64),
        config=first_config(name, fields.section("profile", {}).raw()),
        api_url=fields.url("apiUrl").rstrip("/"),
        bootstrap_token=fields.text("bootstrapToken", longest=512),
        control_plane_keys=_keys(fields, "controlPlaneKeys"),
        trusted_bundle_keys=_keys(fields, "trustedBundleKeys"),
        listen=_listen(fields.section("listen")),
        trial_seconds=fields.number("trialSeconds", 0.1, HOUR, 10.0),
        heartbeat_seconds=fields.number("heartbeatSeconds", 0.1, HOUR, 30.0),
        runtime=BundleRef.read(fields.section("runtime")),
        llm=_llm(fields),
        tuning=_tuning(fields.section("tuning", {})),
    )


def _keys(fields: Fields, name: str) -> tuple[Mapping[str, Any], ...]:
    keys = tuple(fields.items(name, most=MAX_KEYS))
    if not keys or not all(isinstance(key, Mapping) for key in keys):
        raise FieldError(f"user-data.{name} must list at least one key")
    return keys


def _llm(fields: Fields) -> tuple[LlmProvider, ...]:
    """Return the model providers, in the order in which they are asked."""
    found = []
    for item in fields.items("llm", most=MAX_LLM):
        one = Fields(item, "user-data.llm")
        key = one.text("apiKey", longest=512) if one.raw().get("apiKey") else ""
        found.append(
            LlmProvider(
                name=one.text("name", longest=63),
                base_url=one.url("baseUrl").rstrip("/"),
                model=one.text("model", longest=128),
                api_key=key,
            )
        )
    if len({one.name for one in found}) < len(found):
        raise FieldError("user-data.llm must give each provider a name of its own")
    return tuple(found)


def _listen(fields: Fields) -> Listen:
    host = fields.text("host", longest=64)
    try:
        ipaddress.ip_address(host)
    except ValueError:
        raise FieldError("user-data.listen.host must be an IP address") from None
    return Listen(host, fields.integer("port", 1, 65535))


def _tuning(fields: Fields) -> Tuning:
    usual = Tuning()
    return Tuning(
        restart=fields.number("restartSeconds", 0, 60, usual.restart),
        backoff_first=fields.number("backoffFirstSeconds", 0.01, 60, usual.backoff_first),
        backoff_most=fields.number("backoffMostSeconds", 0.01, HOUR, usual.backoff_most),
        trial_stable=fields.number("trialStableSeconds", 0, 60, usual.trial_stable),
        stop=fields.number("stopSeconds", 0.1, 60, usual.stop),
        retry_first=fields.number("retryFirstSeconds", 0.01, 60, usual.retry_first),
        retry_most=fields.number("retryMostSeconds", 0.01, HOUR, usual.retry_most),
        stall=fields.number("stallSeconds", 0.1, HOUR, usual.stall),
    )
