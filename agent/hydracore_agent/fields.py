"""Typed access to JSON of others: each wrong value is named with its path, never echoed."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

SHA256 = re.compile(r"[0-9a-f]{64}")
MAX_TEXT = 8192


class FieldError(ValueError):
    """A field is missing or wrong; the text names it and what is expected."""


class Fields:
    """A JSON object and where it stands, for error messages."""

    def __init__(self, data: Any, where: str) -> None:
        """Take an object.

        Raises:
            FieldError: it is not a JSON object.
        """
        if not isinstance(data, Mapping):
            raise FieldError(f"{where} must be a JSON object")
        self._data = data
        self._where = where

    def text(self, name: str, default: str | None = None, *, longest: int = MAX_TEXT) -> str:
        """Return a non-empty string of at most ``longest`` characters."""
        value = self._get(name, default)
        if not isinstance(value, str) or not 1 <= len(value) <= longest:
            raise self._wrong(name, f"a string of 1 to {longest} characters")
        if any(0xD800 <= ord(char) <= 0xDFFF or char == "\0" for char in value):  # noqa: PLR2004 - surrogates
            raise self._wrong(name, "a string without NUL and lone surrogates")
        return value

    def url(self, name: str) -> str:
        """Return an absolute http or https URL with a host."""
        url = self.text(name, longest=4096)
        try:
            parts = urlsplit(url)
            sound = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
        except ValueError:
            sound = False
        if not sound:
            raise self._wrong(name, "an http:// or https:// URL")
        return url

    def digest(self, name: str) -> str:
        """Return a SHA-256 as 64 lower-case hex digits."""
        value = self._get(name, None)
        if not isinstance(value, str) or not SHA256.fullmatch(value):
            raise self._wrong(name, "a SHA-256 as 64 lower-case hex digits")
        return value

    def integer(self, name: str, low: int, high: int, default: int | None = None) -> int:
        """Return an integer within the bounds, both inclusive."""
        value = self._get(name, default)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise self._wrong(name, f"an integer from {low} to {high}")
        return value

    def number(self, name: str, low: float, high: float, default: float | None = None) -> float:
        """Return a finite number within the bounds, both inclusive."""
        value = self._get(name, default)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self._wrong(name, f"a number from {low:g} to {high:g}")
        if not math.isfinite(value) or not low <= value <= high:
            raise self._wrong(name, f"a number from {low:g} to {high:g}")
        return float(value)

    def flag(self, name: str, *, default: bool | None = None) -> bool:
        """Return true or false."""
        value = self._get(name, default)
        if not isinstance(value, bool):
            raise self._wrong(name, "true or false")
        return value

    def section(self, name: str, default: Mapping[str, Any] | None = None) -> Fields:
        """Return a nested object."""
        return Fields(self._get(name, default), f"{self._where}.{name}")

    def items(self, name: str, *, most: int) -> list[Any]:
        """Return a list of at most ``most`` items; an absent one is empty."""
        value = self._data.get(name, [])
        if not isinstance(value, list) or len(value) > most:
            raise self._wrong(name, f"a list of at most {most} items")
        return value

    def raw(self) -> Mapping[str, Any]:
        """Return the object itself."""
        return self._data

    def _get(self, name: str, default: Any) -> Any:
        value = self._data.get(name)
        if value is not None:
            return value
        if default is None:
            raise FieldError(f"{self._where}.{name} is missing")
        return default

    def _wrong(self, name: str, expected: str) -> FieldError:
        return FieldError(f"{self._where}.{name} must be {expected}")
