"""The API server's audit log: who changed what, and all that HydraCore's own accounts asked for.

By it the rights in ``manifests/rbac`` are checked against the calls that are really made
(``tests/rights``); in a development cluster it shows a person who did what.
"""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

import yaml

from hydracore_devcluster.layout import StateLayout, write_private

OUR_ACCOUNTS = "system:serviceaccounts:hydracore-system"
"""The group of every service account in HydraCore's namespace."""

MAX_FILE_MEGABYTES = 64
MAX_OLD_FILES = 3
"""Files kept beside the current one; what is older is dropped."""

FOLDER_VARIABLE = "HYDRACORE_AUDIT_DIR"
"""Environment variable: a folder where clusters keep their audit logs, each its own, instead of
in their state folders, which may be removed with them."""

_GROUP = "hydracore.io"
_CHANGES = ["create", "update", "patch", "delete", "deletecollection"]


def policy() -> dict[str, Any]:
    """Return the API server's audit policy.

    Calls of our accounts are logged without bodies, but for changes of main resources: their
    bodies show that no status is written there. Of all others only changes of our objects and of
    namespaces are logged. No kind that is logged with its body holds a secret.
    """
    ours = {"userGroups": [OUR_ACCOUNTS]}
    changes = [{"group": _GROUP}, {"group": "", "resources": ["namespaces"]}]
    return {
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived"],
        "omitManagedFields": True,
        "rules": [
            {
                "level": "Metadata",
                **ours,
                "resources": [{"group": _GROUP, "resources": ["*/status"]}],
            },
            {
                "level": "Request",
                **ours,
                "verbs": ["update", "patch"],
                "resources": [{"group": _GROUP}],
            },
            {"level": "Metadata", **ours},
            {"level": "Metadata", "verbs": _CHANGES, "resources": changes},
            {"level": "None"},
        ],
    }


def write_policy(state: StateLayout) -> None:
    """Write the policy where :func:`flags` says that it lies."""
    write_private(state.audit_policy, yaml.safe_dump(policy(), sort_keys=False).encode())


def new_log(folder: Path) -> Path:
    """Return a path for one cluster's log in a folder that several share."""
    return folder.absolute() / f"audit-{secrets.token_hex(8)}.log"


def flags(state: StateLayout, log: Path) -> dict[str, object]:
    """Return the API server's flags for a log of bounded size."""
    return {
        "audit-policy-file": state.audit_policy,
        "audit-log-path": log,
        "audit-log-maxsize": MAX_FILE_MEGABYTES,
        "audit-log-maxbackup": MAX_OLD_FILES,
    }
