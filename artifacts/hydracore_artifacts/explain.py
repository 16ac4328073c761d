"""What an object store's errors mean, in words of our own.

An S3 server repeats parts of the request in its errors, the access key's id among them, and
obstore adds the whole request. So nothing of their text is passed on but a code.
"""

from __future__ import annotations

import re

from obstore.exceptions import (
    BaseError,
    NotFoundError,
    PermissionDeniedError,
    UnauthenticatedError,
)

STORE_ERRORS = (BaseError, OSError)
"""What obstore raises; what is missing in a store, it may raise as a FileNotFoundError."""

_S3_CODE = re.compile(r"(?:<Code>|\(code: )([A-Za-z]{1,64})(?:</Code>|\))")
_STATUS = re.compile(r"non-2xx status code: (\d{3})")
_WORDS = (
    ("Connection refused", "the connection was refused"),
    ("dns error", "its host name is not known"),
    ("timed out", "it did not answer in time"),
    ("TimedOut", "it did not answer in time"),
    ("Connection reset", "it reset the connection"),
    ("connection closed", "it closed the connection"),
    ("certificate", "its certificate is not trusted"),
    ("Permission denied", "permission denied"),
    ("No space left", "no space is left"),
    ("Read-only file system", "the file system is read-only"),
    ("Not a directory", "a part of the path is no folder"),
)


def explain(error: BaseException) -> str:
    """Return what went wrong in a few words, without any text of the server's but its code."""
    text = str(error)
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if code := _S3_CODE.search(text):
        return code[1]
    for sign, words in _WORDS:
        if sign in text:
            return words
    if status := _STATUS.search(text):
        return f"status {status[1]}"
    return type(error).__name__


def missing(error: BaseException) -> bool:
    """Return whether the object that was asked for, or one of many to be deleted, is not there.

    It says the same where the store itself is not there.
    """
    if isinstance(error, NotFoundError | FileNotFoundError):
        return True
    code = _S3_CODE.search(str(error))
    return code is not None and code[1] == "NoSuchKey"


def denied(error: BaseException) -> bool:
    """Return whether the store is there and does not let us in."""
    if isinstance(error, PermissionDeniedError | UnauthenticatedError | PermissionError):
        return True
    status = _STATUS.search(str(error))  # of a listing, or of many deletions at once
    return status is not None and status[1] in {"401", "403"}
