"""Versions: semantic precedence, what is available, and whether that is an update.

Source: design, Bundle: available is the highest SemVer precedence among ready, unyanked bundles
of a slug, prereleases left out.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from semver import Version

from hydracore_core.quarantine import quarantine_of
from hydracore_crds import Bundle
from hydracore_crds.base import find
from hydracore_crds.bundle import Component
from hydracore_crds.conditions import READY
from hydracore_crds.update_policy import UpdateMode

UpdateReason = Literal["newer_version", "up_to_date", "not_reported", "disabled", "quarantined"]


@dataclass(frozen=True, slots=True)
class Update:
    """What could be installed on an instance for one component.

    Attributes:
        current_version: What the agent reports; None if it has not reported.
        available: The bundle that is offered; None if there is none.
        has_update: Whether an update is to be offered.
        reason: Why, in REST's words.
    """

    current_version: str | None
    available: Bundle | None
    has_update: bool
    reason: UpdateReason


def parse(version: str | None) -> Version | None:
    """Read a semantic version; None where the text is absent or none."""
    if version is None or not Version.is_valid(version):
        return None
    return Version.parse(version)


def is_newer(version: str, than: str) -> bool:
    """Whether ``version`` has higher precedence; build metadata does not count (SemVer 10).

    Raises:
        ValueError: One of them is no semantic version.
    """
    return bool(Version.parse(version).compare(Version.parse(than)) > 0)


def is_ready(bundle: Bundle) -> bool:
    """Whether the bundle's artifact, digest and signature were verified."""
    ready = find(bundle.status.conditions, READY)
    return ready is not None and ready.status == "True"


def available(bundles: Iterable[Bundle], component: Component, slug: str) -> Bundle | None:
    """Return the bundle that is offered for a slug, or None.

    Left out are bundles that are not ready, yanked, being deleted, prereleases, or whose version
    is no SemVer. Of equal precedence (they differ in build metadata only) the name decides, so
    that the answer does not depend on the order of the bundles.
    """
    offered = (
        (version, bundle.metadata.name, bundle)
        for bundle in bundles
        if bundle.spec.component == component and bundle.spec.slug == slug
        if not bundle.spec.yanked and not bundle.deleting
        if (version := parse(bundle.spec.version)) is not None and not version.prerelease
        if is_ready(bundle)
    )
    return max(offered, key=lambda found: found[:2], default=(None, "", None))[2]


def update_for(current_version: str | None, offered: Bundle | None, mode: UpdateMode) -> Update:
    """Compare what runs with what is offered.

    An older offer is never an update: there is no downgrade by itself. Nor is one in quarantine,
    though a person may still roll it out.

    Args:
        current_version: The version that the agent reports; None if it has not reported.
        offered: What :func:`available` found.
        mode: The effective policy; with ``disabled`` there is never an update.
    """
    running = parse(current_version)
    newer = (
        running is not None and offered is not None and is_newer(offered.spec.version, str(running))
    )
    reason: UpdateReason
    if mode == "disabled":
        reason = "disabled"
    elif running is None:
        reason = "not_reported"
    elif newer and offered is not None and quarantine_of(offered) is not None:
        reason = "quarantined"
    else:
        reason = "newer_version" if newer else "up_to_date"
    return Update(current_version, offered, has_update=reason == "newer_version", reason=reason)
