"""What a release says about itself, and whether it can run here."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from hydracore_agent.fields import FieldError, Fields
from hydracore_agent.files import read_json
from hydracore_agent.orders.outcome import Rejected

MANIFEST = "manifest.json"
MAX_MANIFEST = 64 * 1024
RUN_MODULE = "-m"


@dataclass(frozen=True, slots=True)
class Host:
    """The Python and the machine that a release must be made for."""

    python: str
    platform: str

    @classmethod
    def here(cls) -> Host:
        """Return those of this process."""
        import sysconfig  # noqa: PLC0415 - the launcher reads manifests and never needs it

        return cls(
            f"cp{sys.version_info.major}{sys.version_info.minor}",
            sysconfig.get_platform().replace("-", "_"),
        )


@dataclass(frozen=True, slots=True)
class Manifest:
    """manifest.json of a release."""

    component: str
    slug: str
    version: str
    python: str
    platform: str
    module: str
    plugins: tuple[str, ...]


def read_manifest(release: Path) -> Manifest:
    """Return the manifest of an unpacked release.

    Raises:
        Rejected: it is missing or wrong.
        OSError: it cannot be read.
    """
    try:
        data = read_json(release / MANIFEST, MAX_MANIFEST)
        if data is None:
            raise Rejected(f"the bundle has no {MANIFEST}")
        fields = Fields(data, MANIFEST)
        return Manifest(
            component=fields.text("component", longest=64),
            slug=fields.text("slug", longest=64),
            version=fields.text("version", longest=64),
            python=fields.text("python", longest=32),
            platform=fields.text("platform", longest=64),
            module=_module(fields),
            plugins=tuple(str(name) for name in fields.items("plugins", most=100)),
        )
    except (FieldError, ValueError) as error:
        raise Rejected(f"the bundle's {MANIFEST} is wrong: {error}") from error


def check_manifest(manifest: Manifest, slug: str, version: str, host: Host) -> None:
    """Return if the release is what was ordered and can run here.

    Raises:
        Rejected: it is not; the text says what differs.
    """
    if (manifest.component, manifest.slug, manifest.version) != ("runtime", slug, version):
        raise Rejected(
            f"the bundle says that it is {manifest.component} {manifest.slug} {manifest.version}, "
            f"but the order is for runtime {slug} {version}"
        )
    if (manifest.python, manifest.platform) != (host.python, host.platform):
        raise Rejected(
            f"the bundle is built for {manifest.python} on {manifest.platform}, but this server "
            f"has {host.python} on {host.platform}: build it on a machine like the servers"
        )


def _module(fields: Fields) -> str:
    entrypoint = fields.items("entrypoint", most=8)
    if len(entrypoint) == 2 and entrypoint[0] == RUN_MODULE:  # noqa: PLR2004 - -m <module>
        module = str(entrypoint[1])
        if all(part.isidentifier() for part in module.split(".")):
            return module
    raise FieldError(f'{MANIFEST}.entrypoint must be ["-m", "<module>"]')
