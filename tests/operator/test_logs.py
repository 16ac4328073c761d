"""Logs carry no secrets, whoever wrote them."""

from __future__ import annotations

import json
import logging

import jwt
import pytest
import structlog

from hydracore_operator.logs import configure_logs, mask

JWT = jwt.encode({"a": 1}, "k" * 32, algorithm="HS256")
SECRETS = [
    "hcb_6eoIKDMyf0nNXeSZQhtAwqE8lnAXIiokg2MO4FkuFG4",
    "hca_6eoIKDMyf0nNXeSZ",
    "hc_live_6eoIKDMyf0nNXeSZ",
    JWT,
    "-----BEGIN PRIVATE KEY-----\nabc\n-----END PRIVATE KEY-----",
]


@pytest.mark.parametrize("secret", SECRETS)
def test_secrets_are_masked_by_their_looks(secret: str) -> None:
    for value in (secret, f"before {secret} after", {"x": [secret]}, ("a", secret)):
        assert secret not in json.dumps(mask(value))


def test_secrets_are_masked_by_their_names() -> None:
    assert mask({"token": "x", "user_data": {"a": 1}, "name": "x"}) == {
        "token": "***",
        "user_data": "***",
        "name": "x",
    }


def test_passwords_in_urls_and_bearer_headers_are_masked() -> None:
    assert mask("postgresql://user:pass@host/db") == "postgresql://***@host/db"
    assert mask("Authorization: Bearer abc.def") == "Authorization: ***"
    assert mask("http://10.0.0.1:8080/api") == "http://10.0.0.1:8080/api"


def test_the_json_log_is_one_object_a_line_and_masked(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("json", "INFO")
    configure_logs("json", "INFO")
    structlog.get_logger("a").info("started", password="p4ss", key="t/i")
    logging.getLogger("other").warning("token %s was used", SECRETS[0])
    try:
        int(JWT)
    except ValueError:
        structlog.get_logger("a").exception("failed")
    structlog.get_logger("a").debug("quiet")
    lines = capsys.readouterr().err.strip().splitlines()
    events = [json.loads(line) for line in lines]
    assert [e["event"] for e in events] == ["started", "token *** was used", "failed"]
    assert (events[0]["password"], events[0]["key"]) == ("***", "t/i")
    assert "ValueError" in events[2]["exception"]
    assert not any(secret in line for secret in ["p4ss", *SECRETS] for line in lines)
