"""Who may release a bundle from quarantine."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.rights.conftest import Kubectl, Person, obj

pytestmark = pytest.mark.cluster

BUNDLES = "bundles.hydracore.io"
RELEASE = "hydracore.io/release-quarantine=2026-03-02T12:00:00Z"


@pytest.fixture
def bundle(admin: Person, kubectl: Kubectl, namespace: str) -> Iterator[str]:
    """A bundle of this test."""
    slug = namespace[-32:].strip("-")
    spec = {
        "component": "runtime",
        "slug": slug,
        "version": "1.0.0",
        "artifact": {"uri": "store:///x", "sha256": "ab" * 32, "sizeBytes": 7},
        "signature": {"keyId": "k", "value": "A" * 86 + "=="},
    }
    name = f"runtime-{slug}-1.0.0"
    admin.does("create", "-f", "-", given=obj("Bundle", name, spec))
    yield name
    kubectl("delete", BUNDLES, name, "--wait=false", check=True)


@pytest.fixture
def publisher(bind: Callable[..., Person], kubectl: Kubectl, namespace: str) -> Iterator[Person]:
    """Somebody who may change Bundles by a role that is not ours."""
    role = f"publisher-{namespace}"
    kubectl("create", "clusterrole", role, "--verb=get,patch", f"--resource={BUNDLES}", check=True)
    yield bind("pia", role, to=("patch", BUNDLES), wide=True)
    kubectl("delete", "clusterrole", role, "--wait=false", check=True)


def test_an_administrator_of_the_platform_releases_a_bundle(
    publisher: Person, bind: Callable[..., Person], bundle: str
) -> None:
    why = publisher.is_refused("annotate", BUNDLES, bundle, RELEASE)
    assert "hydracore.io/release-quarantine may be set, changed or removed by HydraCore only" in why
    assert f"{publisher.name} lacks the verb set-marks on bundles" in why
    publisher.does("annotate", BUNDLES, bundle, "team=blue")
    bind("ada", "hydracore-admin", to=("set-marks", BUNDLES), wide=True).does(
        "annotate", BUNDLES, bundle, RELEASE
    )
