"""The API server as operator, API and tools see it: a client, typed errors, stores of objects."""

from hydracore_kube.client import KubeClient, WatchEvent
from hydracore_kube.diff import merge_diff
from hydracore_kube.errors import (
    AlreadyExists,
    Conflict,
    Forbidden,
    Gone,
    Invalid,
    KubeconfigError,
    KubeError,
    Malformed,
    NotFound,
    Unavailable,
)
from hydracore_kube.namespace import Namespace
from hydracore_kube.paths import Where
from hydracore_kube.reflector import Reflector
from hydracore_kube.store import ObjectStore

__all__ = [
    "AlreadyExists",
    "Conflict",
    "Forbidden",
    "Gone",
    "Invalid",
    "KubeClient",
    "KubeError",
    "KubeconfigError",
    "Malformed",
    "Namespace",
    "NotFound",
    "ObjectStore",
    "Reflector",
    "Unavailable",
    "WatchEvent",
    "Where",
    "merge_diff",
]
