"""Where commands find cluster, database, store and keys: HYDRACORE_* variables, else the stack's.

So every command works against a stack of this machine without any setting, and against any other
installation by the same variables that its services use.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import yaml

from hydracore_cli.errors import CliError
from hydracore_cli.stack.layout import StackLayout
from hydracore_cli.stack.record import load_record


def kubeconfig_of(layout: StackLayout, environ: Mapping[str, str] = os.environ) -> str:
    """Return a person's kubeconfig: KUBECONFIG, else the stack's administrator's, else kubectl's.

    Raises:
        CliError: there is none.
    """
    record = load_record(layout.record)
    home = Path(environ.get("HOME", "/")) / ".kube" / "config"
    fallback = str(home) if home.is_file() else None
    if record is not None and record.kubeconfig:
        fallback = record.kubeconfig
    return setting("KUBECONFIG", fallback, layout, environ)


def server_secret_file(layout: StackLayout, environ: Mapping[str, str] = os.environ) -> Path:
    """Return the file with the key of the API keys' hashes."""
    fallback = str(layout.server_secret) if layout.server_secret.exists() else None
    return Path(setting("HYDRACORE_SERVER_SECRET_FILE", fallback, layout, environ))


def signing_key_file(
    layout: StackLayout, given: Path | None, environ: Mapping[str, str] = os.environ
) -> Path:
    """Return the bundle signing key: the one given, else the variable's, else the stack's."""
    if given is not None:
        return given
    fallback = str(layout.signing_key) if layout.signing_key.exists() else None
    return Path(setting("HYDRACORE_BUNDLE_SIGNING_KEY_FILE", fallback, layout, environ))


def trusted_keys_file(
    layout: StackLayout, given: Path | None, environ: Mapping[str, str] = os.environ
) -> Path:
    """Return the list of trusted bundle keys, found likewise."""
    if given is not None:
        return given
    found = layout.trusted_bundle_keys
    fallback = str(found) if found.exists() else None
    return Path(setting("HYDRACORE_TRUSTED_BUNDLE_KEYS_FILE", fallback, layout, environ))


def tenant_namespace(
    layout: StackLayout, given: str | None, environ: Mapping[str, str] = os.environ
) -> str:
    """Return the namespace to look at: the one given, HYDRACORE_NAMESPACE, else where one is.

    That is the context's namespace of a kubeconfig of one's own, as kubectl has it, or the first
    tenant of the stack.
    """
    record = load_record(layout.record)
    kubeconfig = kubeconfig_of(layout, environ)
    fallback = _context_namespace(Path(kubeconfig))
    if record is not None and record.kubeconfig == kubeconfig:
        fallback = record.namespace
    return given or setting("HYDRACORE_NAMESPACE", fallback, layout, environ)


def setting(
    name: str, fallback: str | None, layout: StackLayout, environ: Mapping[str, str]
) -> str:
    """Return a variable's value or the fallback.

    Raises:
        CliError: there is neither.
    """
    value = environ.get(name) or fallback
    if not value:
        raise CliError(
            f"{name} is not set and there is no stack in {layout.state_dir}: set it, or start a "
            "stack with `hydracore up`"
        )
    return value


def _context_namespace(path: Path) -> str:
    """Return the namespace of a kubeconfig's current context; ``default`` where it has none."""
    try:
        config = yaml.safe_load(path.read_text())
        contexts = {entry["name"]: entry["context"] for entry in config["contexts"]}
        return str(contexts[config["current-context"]].get("namespace") or "default")
    except (OSError, ValueError, yaml.YAMLError, TypeError, KeyError, AttributeError):
        # What is wrong with the file is said by whoever connects with it.
        return "default"
