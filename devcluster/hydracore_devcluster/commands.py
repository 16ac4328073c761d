"""How the processes of the control plane are called."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hydracore_devcluster import audit
from hydracore_devcluster.assets import Assets
from hydracore_devcluster.certificates import Certificates
from hydracore_devcluster.layout import StateLayout
from hydracore_devcluster.ports import LOOPBACK

_CONTROLLERS = (
    "namespace-controller",
    "garbage-collector-controller",
    "serviceaccount-controller",
    "serviceaccount-token-controller",
)
SERVICE_RANGE = "10.0.0.0/24"


@dataclass(frozen=True, slots=True)
class Ports:
    """The ports of one cluster, all on loopback."""

    apiserver: int
    etcd: int
    etcd_peer: int


def _argv(binary: Path, flags: Mapping[str, object]) -> list[str]:
    return [str(binary), *(f"--{name}={value}" for name, value in flags.items())]


def etcd(assets: Assets, state: StateLayout, pki: Certificates, ports: Ports) -> list[str]:
    """Return the command of etcd: one member, TLS with client certificates, tuned for speed.

    Nothing is fsynced: the data outlive the process, but not necessarily a power failure.
    """
    client = f"https://{LOOPBACK}:{ports.etcd}"
    peer = f"https://{LOOPBACK}:{ports.etcd_peer}"
    return _argv(
        assets.etcd,
        {
            "name": "dev",
            "data-dir": state.etcd_data,
            "listen-client-urls": client,
            "advertise-client-urls": client,
            "listen-peer-urls": peer,
            "initial-advertise-peer-urls": peer,
            "initial-cluster": f"dev={peer}",
            "cert-file": pki.certificate,
            "key-file": pki.key,
            "trusted-ca-file": pki.ca,
            "client-cert-auth": "true",
            "peer-cert-file": pki.certificate,
            "peer-key-file": pki.key,
            "peer-trusted-ca-file": pki.ca,
            "peer-client-cert-auth": "true",
            "unsafe-no-fsync": "true",
            "heartbeat-interval": 50,
            "election-timeout": 250,
            "auto-compaction-mode": "periodic",
            "auto-compaction-retention": "10m",
            "log-level": "warn",
        },
    )


def apiserver(
    assets: Assets, state: StateLayout, pki: Certificates, ports: Ports, audit_log: Path
) -> list[str]:
    """Return the command of the API server: RBAC on, tokens from a file, loopback only."""
    return _argv(
        assets.kube_apiserver,
        {
            "bind-address": LOOPBACK,
            "advertise-address": LOOPBACK,
            "secure-port": ports.apiserver,
            "tls-cert-file": pki.certificate,
            "tls-private-key-file": pki.key,
            "etcd-servers": f"https://{LOOPBACK}:{ports.etcd}",
            "etcd-cafile": pki.ca,
            "etcd-certfile": pki.certificate,
            "etcd-keyfile": pki.key,
            "token-auth-file": state.tokens,
            "anonymous-auth": "false",
            "authorization-mode": "RBAC",
            "disable-admission-plugins": "ServiceAccount",
            "service-cluster-ip-range": SERVICE_RANGE,
            "service-account-issuer": "https://kubernetes.default.svc",
            "service-account-key-file": pki.service_account_key,
            "service-account-signing-key-file": pki.service_account_key,
            "endpoint-reconciler-type": "none",
            "profiling": "false",
            "shutdown-delay-duration": "0s",
            **audit.flags(state, audit_log),
        },
    )


def controller_manager(binary: Path, state: StateLayout, pki: Certificates) -> list[str]:
    """Return the command of the controller manager with the few controllers that are needed."""
    return _argv(
        binary,
        {
            "kubeconfig": state.kubeconfig("admin"),
            "controllers": ",".join(_CONTROLLERS),
            "leader-elect": "false",
            "secure-port": 0,
            "service-account-private-key-file": pki.service_account_key,
            "root-ca-file": pki.ca,
            "profiling": "false",
        },
    )
