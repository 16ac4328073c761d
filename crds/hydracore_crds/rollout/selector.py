"""Selector: which instances, by their labels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field, StringConstraints

from hydracore_crds.base import Wire

LabelKey = Annotated[str, StringConstraints(min_length=1, max_length=317)]
LabelValue = Annotated[str, StringConstraints(max_length=63)]


class Selector(Wire):
    """Which instances of the namespace, by their labels. An empty one means all."""

    match_labels: dict[LabelKey, LabelValue] = Field(default_factory=dict, max_length=16)

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether an object with these labels is selected."""
        return all(labels.get(key) == value for key, value in self.match_labels.items())
