"""Certificates and keys of a dev cluster: one CA, one certificate for all of loopback."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from hydracore_devcluster.layout import write_private

_LIFETIME = timedelta(days=3650)
_RENEW_BEFORE = timedelta(days=30)
_CLOCK_SKEW = timedelta(minutes=5)
_NAMES = ("localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc")
_ADDRESSES = ("127.0.0.1", "10.0.0.1")
"""Loopback, and the first address of the service range, which stands for the API server."""


@dataclass(frozen=True, slots=True)
class Certificates:
    """Paths of the PEM files in one folder."""

    folder: Path

    @property
    def ca(self) -> Path:
        """The CA's certificate."""
        return self.folder / "ca.crt"

    @property
    def certificate(self) -> Path:
        """The certificate of servers and of the API server as etcd's client."""
        return self.folder / "loopback.crt"

    @property
    def key(self) -> Path:
        """The certificate's key."""
        return self.folder / "loopback.key"

    @property
    def service_account_key(self) -> Path:
        """The key that signs the tokens of service accounts."""
        return self.folder / "service-account.key"


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        # The API server finds the public half of a key in this form only.
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )


def _usage(*, ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=ca,
        crl_sign=ca,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _builder(
    subject: str, issuer: str, key: ec.EllipticCurvePrivateKey, *, ca: bool, now: datetime
) -> x509.CertificateBuilder:
    def name(common: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])

    return (
        x509.CertificateBuilder()
        .subject_name(name(subject))
        .issuer_name(name(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCK_SKEW)
        .not_valid_after(now + _LIFETIME)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(_usage(ca=ca), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _issue(now: datetime) -> tuple[bytes, bytes, bytes]:
    """Return the CA's certificate, the loopback certificate and its key; the CA's key is lost."""
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    authority = "hydracore dev cluster CA"
    ca = _builder(authority, authority, ca_key, ca=True, now=now).sign(ca_key, hashes.SHA256())
    names = [
        *(x509.DNSName(n) for n in _NAMES),
        *(x509.IPAddress(ipaddress.ip_address(a)) for a in _ADDRESSES),
    ]
    usages = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    issuer_id = x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key())
    leaf = (
        _builder("hydracore-dev-cluster", authority, key, ca=False, now=now)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        .add_extension(issuer_id, critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    return ca.public_bytes(pem), leaf.public_bytes(pem), _pem(key)


def _current(certificates: Certificates, now: datetime) -> bool:
    files = (certificates.ca, certificates.certificate, certificates.key)
    if not all(f.is_file() for f in files):
        return False
    leaf = x509.load_pem_x509_certificate(certificates.certificate.read_bytes())
    return leaf.not_valid_after_utc - now > _RENEW_BEFORE


def ensure(folder: Path, now: datetime) -> Certificates:
    """Make what is missing or about to expire.

    The service-account key is kept for ever, because tokens out there are signed with it.

    Args:
        folder: Where the files lie; must exist.
        now: The current time, aware.
    """
    certificates = Certificates(folder)
    if not _current(certificates, now):
        ca, leaf, key = _issue(now)
        write_private(certificates.ca, ca)
        write_private(certificates.key, key)
        write_private(certificates.certificate, leaf)
    if not certificates.service_account_key.is_file():
        signer = ec.generate_private_key(ec.SECP256R1())
        write_private(certificates.service_account_key, _pem(signer))
    return certificates
