"""A real S3 server for tests, thrown away afterwards: versitygw over a folder.

It runs as a child of the tests and ends with them, however they end.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from hydracore_artifacts.location import Credentials, S3Access
from hydracore_devcluster.process import die_with_parent

REGION = "eu-test-1"
_START_SECONDS = 20.0
_TRIES = 5


class S3Server:
    """One server on loopback: its folder, its process and its only account."""

    def __init__(self, program: Path) -> None:
        """Prepare folders and an account; nothing runs yet."""
        self._program = program
        self._home = Path(tempfile.mkdtemp(prefix="hc-s3-"))
        self._process: subprocess.Popen[bytes] | None = None
        self.port = 0
        # As long as those of Amazon's, and findable wherever they may have leaked to.
        self.credentials = Credentials(f"AK{secrets.token_hex(9).upper()}", secrets.token_hex(20))
        for folder in (self.buckets, self._home / "metadata"):
            folder.mkdir()

    @property
    def buckets(self) -> Path:
        """The folder with a folder for each bucket, in which objects are files."""
        return self._home / "buckets"

    @property
    def log(self) -> Path:
        """What the server said."""
        return self._home / "log"

    @property
    def endpoint(self) -> str:
        """Its URL."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def access(self) -> S3Access:
        """How a store gets in."""
        return S3Access(self.endpoint, REGION, self.credentials)

    def bucket(self) -> str:
        """Make a bucket of its own for a test; return its name."""
        name = f"b-{secrets.token_hex(8)}"
        (self.buckets / name).mkdir()
        return name

    def environment(self, url: str) -> dict[str, str]:
        """Return the settings (``HYDRACORE_*``) of a store in this server."""
        return {
            "HYDRACORE_ARTIFACTS_URL": url,
            "HYDRACORE_ARTIFACTS_S3_ENDPOINT": self.endpoint,
            "HYDRACORE_ARTIFACTS_S3_REGION": REGION,
            "HYDRACORE_ARTIFACTS_S3_ACCESS_KEY_ID": self.credentials.access_key_id,
            "HYDRACORE_ARTIFACTS_S3_SECRET_ACCESS_KEY": self.credentials.secret_access_key,
        }

    def start(self) -> None:
        """Start it and wait until it answers; after a stop, on the same port."""
        for _ in range(_TRIES):
            port = self.port or _free_port()
            if self._try_start(port):
                self.port = port
                return
        raise RuntimeError(f"the S3 server does not start: {self.log.read_text()[-2000:]}")

    def stop(self) -> None:
        """Kill the server; its connections are cut."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()

    def freeze(self) -> None:
        """Make it silent without ending a connection, as when a network is cut."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Undo :meth:`freeze`."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGCONT)

    def remove(self) -> None:
        """End the server and delete everything."""
        self.stop()
        shutil.rmtree(self._home, ignore_errors=True)

    def _try_start(self, port: int) -> bool:
        environment = {
            "PATH": os.defpath,
            "HOME": str(self._home),
            "ROOT_ACCESS_KEY_ID": self.credentials.access_key_id,
            "ROOT_SECRET_ACCESS_KEY": self.credentials.secret_access_key,
        }
        told = [
            *(str(self._program), "--quiet", "--port", f"127.0.0.1:{port}", "--region", REGION),
            # Not every file system has the extended attributes that it would use else.
            *("posix", "--sidecar", str(self._home / "metadata"), str(self.buckets)),
        ]
        with self.log.open("ab") as log:
            self._process = process = subprocess.Popen(
                told,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment,
                cwd=self._home,
                start_new_session=True,
                preexec_fn=die_with_parent(os.getpid()),  # noqa: PLW1509
            )
        deadline = time.monotonic() + _START_SECONDS
        while process.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                return True
            if time.monotonic() > deadline:
                process.kill()
            time.sleep(0.02)
        self._process = None
        return False


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
