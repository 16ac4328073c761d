"""Settings come from the environment, once, and refuse what cannot work."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from hydracore_operator.settings import OperatorSettings

NEEDED: dict[str, Any] = {
    "HYDRACORE_DATABASE_URL": "sqlite+aiosqlite:////tmp/x.db",
    "HYDRACORE_ARTIFACTS_URL": "file:///tmp/a",
    "HYDRACORE_CONTROL_PLANE_KEY_FILE": "/tmp/key.pem",
    "HYDRACORE_TRUSTED_BUNDLE_KEYS_FILE": "/tmp/trusted.json",
    "HYDRACORE_AGENT_API_URL": "http://127.0.0.1:1",
}


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in NEEDED.items():
        monkeypatch.setenv(name, value)


def test_defaults() -> None:
    settings = OperatorSettings()
    assert (settings.operator_namespace, settings.lease_seconds) == ("hydracore-system", 15)
    assert settings.kubeconfig is None
    again = OperatorSettings()
    assert settings.identity != again.identity


def test_the_database_url_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HYDRACORE_DATABASE_URL", "postgresql+psycopg://u:s3cret@h/d")
    assert "s3cret" not in repr(OperatorSettings())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HYDRACORE_LEASE_SECONDS", "0"),
        ("HYDRACORE_OPERATOR_STATUS_ADDR", "8080"),
        ("HYDRACORE_OPERATOR_STATUS_ADDR", "host:99999"),
        ("HYDRACORE_LOG_FORMAT", "xml"),
        ("HYDRACORE_WORKERS", "many"),
    ],
)
def test_nonsense_is_refused(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError, match=name.removeprefix("HYDRACORE_").lower()):
        OperatorSettings()
