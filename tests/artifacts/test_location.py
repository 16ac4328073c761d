"""URLs and settings of the object store."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from hydracore_artifacts.location import BucketPlace, Credentials, FolderPlace, S3Access, place_of
from hydracore_artifacts.settings import StoreSettings

KEY, SECRET = "AKIDEXAMPLE00001", "wJalrXUtnFEMI/K7MDENG"


def bucket(name: str, prefix: str | None, *, http: bool, signs: bool) -> BucketPlace:
    return BucketPlace(name, prefix, allow_http=http, signs_urls=signs)


MINIO = S3Access("http://minio:9000")
HTTPS = S3Access("https://account.r2.example.com", "auto")


@pytest.mark.parametrize(
    ("url", "access", "expected"),
    [
        ("file:///a/b%20c", S3Access(), FolderPlace(Path("/a/b c"))),
        ("s3://bucket", S3Access(), bucket("bucket", None, http=False, signs=True)),
        ("s3://bucket/a/b/", HTTPS, bucket("bucket", "a/b", http=False, signs=True)),
        (
            "s3://b-1.c/x",
            S3Access("http://minio:9000"),
            bucket("b-1.c", "x", http=True, signs=False),
        ),
        ("s3://bkt", S3Access("http://127.0.0.1:9"), bucket("bkt", None, http=True, signs=True)),
        ("s3://bkt", S3Access("http://[::1]:9"), bucket("bkt", None, http=True, signs=True)),
    ],
)
def test_what_a_url_names(url: str, access: S3Access, expected: object) -> None:
    assert place_of(url, access) == expected


@pytest.mark.parametrize("url", ["http://bucket/x", "/abs/dir", "file://host/dir", "file:relative"])
def test_other_urls_are_refused_with_the_right_form(url: str) -> None:
    with pytest.raises(ValueError, match=r"file:///absolute/path, or a bucket as s3://bucket"):
        place_of(url, S3Access())


@pytest.mark.parametrize("url", ["s3://", "s3:///x", "s3://UPPER", "s3://b/../c", "s3://bkt/a//b"])
def test_what_is_no_bucket(url: str) -> None:
    with pytest.raises(ValueError, match="names no bucket"):
        place_of(url, S3Access())


@pytest.mark.parametrize(
    "url",
    [
        f"s3://{KEY}:{SECRET}@bucket/x",
        f"s3://bucket/x?secret={SECRET}",
        f"s3://bucket/x#{SECRET}",
    ],
)
def test_a_url_with_credentials_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(ValueError, match="must hold no credentials") as caught:
        place_of(url, S3Access())
    assert SECRET not in str(caught.value)


def test_nothing_of_a_wrong_url_is_repeated() -> None:
    with pytest.raises(ValueError, match="is not supported") as caught:
        place_of(f"https://{KEY}:{SECRET}@host/x", S3Access())
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    "endpoint", ["minio:9000", "ftp://x", f"https://{KEY}:{SECRET}@x", "http://", "https://x/bkt"]
)
def test_a_wrong_endpoint_is_refused_and_not_repeated(endpoint: str) -> None:
    with pytest.raises(ValueError, match="ARTIFACTS_S3_ENDPOINT must be") as caught:
        place_of("s3://bucket", S3Access(endpoint))
    assert SECRET not in str(caught.value)


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setenv("HYDRACORE_ARTIFACTS_URL", "s3://bucket/x")
    return monkeypatch


def test_the_settings_come_from_the_environment(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("HYDRACORE_ARTIFACTS_S3_ENDPOINT", "https://account.r2.example.com")
    environment.setenv("HYDRACORE_ARTIFACTS_S3_REGION", "auto")
    environment.setenv("HYDRACORE_ARTIFACTS_S3_ACCESS_KEY_ID", KEY)
    environment.setenv("HYDRACORE_ARTIFACTS_S3_SECRET_ACCESS_KEY", SECRET)
    settings = StoreSettings()
    access = settings.s3_access()
    assert access == S3Access("https://account.r2.example.com", "auto", Credentials(KEY, SECRET))
    for shown in (repr(settings), repr(access), str(settings)):
        assert SECRET not in shown
    assert KEY not in repr(access)


def test_without_a_key_pair_the_environment_s_own_counts(environment: pytest.MonkeyPatch) -> None:
    for name in ("ENDPOINT", "ACCESS_KEY_ID", "SECRET_ACCESS_KEY"):
        environment.setenv(f"HYDRACORE_ARTIFACTS_S3_{name}", "")
    assert StoreSettings().s3_access() == S3Access()


@pytest.mark.parametrize("name", ["ACCESS_KEY_ID", "SECRET_ACCESS_KEY"])
def test_half_a_key_pair_is_refused(environment: pytest.MonkeyPatch, name: str) -> None:
    environment.setenv(f"HYDRACORE_ARTIFACTS_S3_{name}", SECRET)
    with pytest.raises(ValidationError, match="belong together") as caught:
        StoreSettings()
    assert SECRET not in str(caught.value)
