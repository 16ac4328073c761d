"""Only IP literals are asked, and nothing but address and port is taken from a URL."""

from __future__ import annotations

import pytest

from hydracore_agentclient import AgentEndpoint, Unreachable


@pytest.mark.parametrize(
    ("url", "base"),
    [
        ("http://10.0.0.1:8080", "http://10.0.0.1:8080"),
        ("http://10.0.0.1:8080/", "http://10.0.0.1:8080"),
        ("https://[fd00::1]:8443", "https://[fd00::1]:8443"),
        ("http://10.0.0.1", "http://10.0.0.1"),
    ],
)
def test_addresses(url: str, base: str) -> None:
    assert AgentEndpoint(url, "i").base() == base


@pytest.mark.parametrize(
    "url",
    [
        "",
        "http://agent.example:8080",
        "http://localhost:8080",
        "http://metadata",
        "ftp://10.0.0.1",
        "http://user:secret@10.0.0.1",
        "http://10.0.0.1:8080/path",
        "http://10.0.0.1:8080?x=1",
        "http://10.0.0.1:99999",
        "http://0x7f.1:80",
        "file:///etc/passwd",
        "http://[fe80::1%25eth0]evil:80",
    ],
)
def test_everything_else_is_refused_before_a_connection(url: str) -> None:
    with pytest.raises(Unreachable):
        AgentEndpoint(url, "i").base()
