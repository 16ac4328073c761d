"""No secrets in logs."""

import pytest

from hydracore_agent.logs import redact


@pytest.mark.parametrize(
    "secret", ["hca_Abc-123_x", "hcb_" + "b" * 43, "eyJhbGciOiJFZERTQSJ9.eyJhIjoxfQ.c2ln"]
)
def test_blanks_keys_and_tokens(secret) -> None:
    assert redact(f"got {secret}, sorry") == "got [secret], sorry"
