"""Reading the file of language models."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hydracore_operator.llm import LlmFileError, load_llm

ONE = {"name": "one", "baseUrl": "https://models.example/v1", "model": "m", "apiKey": "sk-canary"}


def write(folder: Path, content: Any) -> Path:
    path = folder / "llm.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_without_a_file_there_are_none() -> None:
    assert load_llm(None) == ()


def test_they_come_in_their_order_with_their_keys(tmp_path: Path) -> None:
    two = {"name": "two", "baseUrl": "http://127.0.0.1:1/v1", "model": "n"}
    assert load_llm(write(tmp_path, [ONE, two])) == (ONE, {**two, "apiKey": ""})


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("{", "is no JSON"),
        ({"name": "one"}, "valid list"),
        ([{**ONE, "baseUrl": "file:///etc"}], "0.baseUrl"),
        ([{**ONE, "model": ""}], "0.model"),
        ([ONE, ONE], "the same name"),
        ([ONE] * 9, "at most 8"),
    ],
)
def test_what_is_wrong_is_named_without_the_key(tmp_path: Path, content: Any, text: str) -> None:
    path = write(tmp_path, content)
    with pytest.raises(LlmFileError, match=text) as caught:
        load_llm(path)
    assert str(path) in str(caught.value)
    assert "sk-canary" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(LlmFileError, match="No such file"):
        load_llm(tmp_path / "none.json")
