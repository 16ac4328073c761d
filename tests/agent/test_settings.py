"""Reading user-data.json."""

import json
from pathlib import Path
from typing import Any

import pytest

from hydracore_agent.errors import SettingsError
from hydracore_agent.settings import Tuning, load_settings
from tests.agent.support.keys import INSTANCE, Signer
from tests.agent.support.world import user_data

LLM = {"name": "one", "baseUrl": "http://127.0.0.1:9", "model": "m"}


def write(folder: Path, signer: Signer, **changes: Any) -> Path:
    path = folder / "user-data.json"
    path.write_text(json.dumps(user_data(signer, **changes)))
    return path


def test_reads_everything_and_defaults_the_tuning(tmp_path, signer) -> None:
    settings = load_settings(write(tmp_path, signer, apiUrl="http://127.0.0.1:9/"))
    assert settings.instance_id == INSTANCE
    assert settings.api_url == "http://127.0.0.1:9"
    assert (settings.listen.host, settings.listen.port) == ("127.0.0.1", 4000)
    assert settings.config.user_display_name == "Grace"
    assert settings.tuning == Tuning()


def test_secrets_are_in_no_repr(tmp_path, signer) -> None:
    llm = {"name": "one", "baseUrl": "http://127.0.0.1:9/v1/", "model": "m", "apiKey": "sk-canary"}
    settings = load_settings(write(tmp_path, signer, llm=[llm]))
    assert (settings.llm[0].base_url, settings.llm[0].api_key) == (
        "http://127.0.0.1:9/v1",
        "sk-canary",
    )
    assert "hcb_token" not in repr(settings)
    assert "sk-canary" not in repr(settings)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"instanceId": None}, "instanceId is missing"),
        ({"listen": {"host": "example.org", "port": 1}}, "listen.host must be an IP address"),
        ({"listen": {"host": "127.0.0.1", "port": 0}}, "listen.port must be an integer"),
        ({"listen": {"host": "127.0.0.1", "port": True}}, "listen.port must be an integer"),
        ({"trialSeconds": "long"}, "trialSeconds must be a number"),
        ({"apiUrl": "file:///etc"}, "apiUrl must be an http"),
        ({"apiUrl": "http://[broken"}, "apiUrl must be an http"),
        ({"controlPlaneKeys": []}, "controlPlaneKeys must list at least one"),
        ({"runtime": {"slug": "x"}}, "runtime.version is missing"),
        ({"llm": [{"name": "one"}]}, "llm.baseUrl is missing"),
        ({"llm": [LLM, LLM]}, "llm must give each provider a name of its own"),
        ({"profile": {"presetId": 7}}, "profile.presetId must be a string"),
        ({"tuning": {"restartSeconds": -1}}, "tuning.restartSeconds must be"),
    ],
)
def test_names_the_wrong_field(tmp_path, signer, changes, named) -> None:
    with pytest.raises(SettingsError, match=named) as caught:
        load_settings(write(tmp_path, signer, **changes))
    assert "hcb_token" not in str(caught.value)


@pytest.mark.parametrize("content", [b"{", b"\xff\xfe", b"[]"])
def test_refuses_what_is_no_object(tmp_path, content) -> None:
    path = tmp_path / "user-data.json"
    path.write_bytes(content)
    with pytest.raises(SettingsError, match=r"user-data\.json"):
        load_settings(path)


def test_says_that_the_file_is_missing(tmp_path) -> None:
    with pytest.raises(SettingsError, match="does not exist"):
        load_settings(tmp_path / "user-data.json")
