"""``hydracore bundle …``: keygen, build, sign, verify, publish."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hydracore_cli.commands.options import StateDir
from hydracore_cli.stack.layout import DEFAULT_STATE_DIR, layout_of

app = typer.Typer(help="Build, sign and publish bundles.", no_args_is_help=True)

BundleFile = Annotated[Path, typer.Argument(help="The bundle (.tar.gz).", dir_okay=False)]
KeyFile = Annotated[
    Path | None,
    typer.Option("--key", help="Private signing key (PEM); default: the stack's.", dir_okay=False),
]
TrustedFile = Annotated[
    Path | None,
    typer.Option("--trusted", help="List of trusted keys (JSON); default: the stack's."),
]


@app.command()
def keygen(
    out: Annotated[Path, typer.Option(help="Where the private key goes (PEM, mode 0600).")],
    trusted: Annotated[
        Path | None,
        typer.Option(help="List of trusted keys (JSON) that the public key is added to."),
    ] = None,
) -> None:
    """Make a signing key and print its public half."""
    import json  # noqa: PLC0415 - commands load what they need when they run

    from hydracore_artifacts.signing import (  # noqa: PLC0415
        BundleSigner,
        TrustedKeys,
        create_key_file,
    )

    known = TrustedKeys.load(trusted).keys if trusted is not None and trusted.exists() else ()
    key = BundleSigner(create_key_file(out)).trusted_key
    if trusted is not None:
        TrustedKeys((*known, key)).save(trusted)
    typer.echo(json.dumps(key.to_wire()))


@app.command()
def build(
    version: Annotated[str, typer.Option(help="Semantic version, e.g. 1.2.0.")],
    out: Annotated[Path, typer.Option(help="Where the bundle goes.", dir_okay=False)],
    slug: Annotated[str, typer.Option(help="Name of the runtime over all versions.")] = (
        "expressclaw"
    ),
    plugin: Annotated[
        list[Path] | None, typer.Option(help="A plugin (Python file); may be repeated.")
    ] = None,
) -> None:
    """Build a runtime bundle from the agent's source and its dependencies, reproducibly."""
    from hydracore_artifacts.build.runtime import RuntimeRequest, build_runtime  # noqa: PLC0415
    from hydracore_cli.errors import CliError  # noqa: PLC0415

    try:
        built = build_runtime(RuntimeRequest(version, slug, tuple(plugin or ())), out)
    except OSError as error:
        where = error.filename or out
        raise CliError(f"{where}: {error.strerror}: nothing was built") from error
    typer.echo(
        f"{out}: runtime {slug} {version}, {built.files} files, {built.digest.size_bytes} bytes\n"
        f"sha256:{built.digest.sha256}"
    )


@app.command()
def sign(bundle: BundleFile, key: KeyFile = None, state_dir: StateDir = DEFAULT_STATE_DIR) -> None:
    """Sign a bundle; the signature goes into a file beside it (.sig)."""
    from hydracore_artifacts.signing import BundleSigner  # noqa: PLC0415
    from hydracore_cli.bundles.sidecar import sidecar_of, sign_bundle  # noqa: PLC0415
    from hydracore_cli.lookup import signing_key_file  # noqa: PLC0415

    signer = BundleSigner.load(signing_key_file(layout_of(state_dir), key))
    signed = sign_bundle(bundle, signer)
    typer.echo(f"{sidecar_of(bundle)}: {signed.sha256} signed with key {signer.key_id}")


@app.command()
def verify(
    bundle: BundleFile, trusted: TrustedFile = None, state_dir: StateDir = DEFAULT_STATE_DIR
) -> None:
    """Check a bundle's digest and signature against the trusted keys."""
    from hydracore_artifacts.signing import TrustedKeys  # noqa: PLC0415
    from hydracore_cli.bundles.sidecar import SignedBundle  # noqa: PLC0415
    from hydracore_cli.lookup import trusted_keys_file  # noqa: PLC0415

    signed = SignedBundle.load(bundle)
    signed.check(bundle, TrustedKeys.load(trusted_keys_file(layout_of(state_dir), trusted)))
    typer.echo(
        f"{bundle}: {signed.component} {signed.slug} {signed.version}, digest and signature of "
        f"trusted key {signed.signature.key_id} are right"
    )


@app.command()
def publish(
    bundle: BundleFile,
    changelog: Annotated[str, typer.Option(help="What changed, for people.")] = "",
    state_dir: StateDir = DEFAULT_STATE_DIR,
) -> None:
    """Put a signed bundle into the store and create its Bundle resource."""
    import asyncio  # noqa: PLC0415 - commands load what they need when they run

    from hydracore_cli.bundles.publish import publish_bundle  # noqa: PLC0415
    from hydracore_cli.connection import open_cluster, open_store  # noqa: PLC0415

    layout = layout_of(state_dir)

    async def run() -> str:
        store = open_store(layout)
        async with open_cluster(layout) as kube:
            published = await publish_bundle(bundle, store=store, kube=kube, changelog=changelog)
        return published.metadata.name

    typer.echo(f"published {asyncio.run(run())}; the operator verifies it before it is offered")
