"""Certificates: right for strict clients, kept as long as they hold."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.x509.oid import ExtensionOID

from hydracore_devcluster import certificates

NOW = datetime(2025, 1, 1, tzinfo=UTC)


def test_they_are_what_strict_clients_want(tmp_path: Path) -> None:
    made = certificates.ensure(tmp_path, NOW)
    leaf = x509.load_pem_x509_certificate(made.certificate.read_bytes())
    ca = x509.load_pem_x509_certificate(made.ca.read_bytes())
    leaf.verify_directly_issued_by(ca)
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert "127.0.0.1" in map(str, names.get_values_for_type(x509.IPAddress))
    assert leaf.extensions.get_extension_for_oid(ExtensionOID.AUTHORITY_KEY_IDENTIFIER)
    assert ca.extensions.get_extension_for_class(x509.BasicConstraints).value.ca is True
    assert leaf.not_valid_before_utc < NOW < leaf.not_valid_after_utc
    context = ssl.create_default_context(cafile=str(made.ca))
    context.load_cert_chain(made.certificate, made.key)


def test_keys_are_for_the_owners_eyes(tmp_path: Path) -> None:
    certificates.ensure(tmp_path, NOW)
    assert {p.stat().st_mode & 0o777 for p in tmp_path.iterdir()} == {0o600}


def test_they_are_kept_until_shortly_before_they_expire(tmp_path: Path) -> None:
    made = certificates.ensure(tmp_path, NOW)
    first, signer = made.certificate.read_bytes(), made.service_account_key.read_bytes()
    certificates.ensure(tmp_path, NOW + timedelta(days=3600))
    assert made.certificate.read_bytes() == first
    certificates.ensure(tmp_path, NOW + timedelta(days=3640))
    assert made.certificate.read_bytes() != first
    assert made.service_account_key.read_bytes() == signer


def test_a_lost_file_is_made_again(tmp_path: Path) -> None:
    made = certificates.ensure(tmp_path, NOW)
    made.key.unlink()
    certificates.ensure(tmp_path, NOW)
    ssl.create_default_context().load_cert_chain(made.certificate, made.key)
