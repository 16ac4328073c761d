"""A real PostgreSQL server for tests, thrown away afterwards.

It runs as a child of the tests and ends with them, however they end. PostgreSQL refuses to run as
root; as root, the server runs as ``nobody``.
"""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import psycopg
from psycopg import sql

from hydracore_devcluster.process import die_with_parent

USER = "hydra"
_START_SECONDS = 60.0
_STOP_SECONDS = 30.0
_TRIES = 5
_SETTINGS = {
    # Nothing here must outlive a power cut.
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "200",
    "shared_buffers": "32MB",
    "max_wal_size": "256MB",
    # What a careful administrator may have set: our transactions must say what they need.
    "default_transaction_isolation": "serializable",
    "timezone": "America/New_York",
}


class PostgresServer:
    """One cluster: its data, its process and its databases."""

    def __init__(self, binaries: Path) -> None:
        """Prepare a folder; nothing runs yet.

        Args:
            binaries: The folder of ``initdb`` and ``postgres``.
        """
        # Not pytest's folder: only its owner may enter that, and the server may be someone else.
        # The path is short, because a socket's path must be.
        self._home = Path(tempfile.mkdtemp(prefix="hc-pg-"))
        self.password = secrets.token_hex(16)
        self.port = 0
        self._account = _account()
        self._process: subprocess.Popen[bytes] | None = None
        if self._account is not None:
            os.chown(self._home, self._account.pw_uid, self._account.pw_gid)
        self._binaries = self._reachable(binaries)

    @property
    def log(self) -> Path:
        """What the server said."""
        return self._home / "log"

    def create(self) -> None:
        """Make the cluster: one user, a password over TCP, none over the socket."""
        secret = self._home / "password"
        secret.write_text(self.password)
        secret.chmod(0o644)  # the folder is closed to everybody else
        done = subprocess.run(
            [
                *(self._binaries / "initdb", "--pgdata", self._home / "data"),
                *("--username", USER, "--pwfile", secret, "--no-sync"),
                *("--auth-local=trust", "--auth-host=scram-sha-256"),
                *("--encoding=UTF8", "--locale=C"),
            ],
            capture_output=True,
            text=True,
            timeout=_START_SECONDS,
            check=False,
            env=self._environment(),
            cwd=self._home,
            **self._identity(),
        )
        if done.returncode != 0:
            raise RuntimeError(f"initdb failed: {done.stderr or done.stdout}")

    def start(self) -> None:
        """Start the server and wait until it answers; after a stop, on the same port."""
        for _ in range(_TRIES):
            port = self.port or _free_port()
            if self._try_start(port):
                self.port = port
                return
        raise RuntimeError(f"PostgreSQL does not start: {self.log.read_text()[-2000:]}")

    def stop(self) -> None:
        """End the server and all its sessions at once, and wait for the end."""
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(signal.SIGINT)  # "fast": sessions are ended, data is written
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def remove(self) -> None:
        """End the server and delete everything."""
        self.stop()
        shutil.rmtree(self._home, ignore_errors=True)

    @property
    def running(self) -> bool:
        """Whether it was started and not stopped since."""
        return self._process is not None

    def freeze(self) -> None:
        """Make the server silent without ending a connection, as when a network is cut."""
        self._signal_all(signal.SIGSTOP)

    def thaw(self) -> None:
        """Undo :meth:`freeze`."""
        self._signal_all(signal.SIGCONT)

    def url(self, database: str, *, password: str | None = None) -> str:
        """Return a database's URL over TCP."""
        secret = self.password if password is None else password
        return f"postgresql+psycopg://{USER}:{secret}@127.0.0.1:{self.port}/{database}"

    def socket_url(self, database: str) -> str:
        """Return a database's URL over the Unix socket; it needs no password."""
        return f"postgresql+psycopg://{USER}@/{database}?host={self._home}&port={self.port}"

    def connect(self, database: str = "postgres") -> psycopg.Connection:
        """Return a plain connection, each statement a transaction."""
        return psycopg.connect(
            host=str(self._home), port=self.port, user=USER, dbname=database, autocommit=True
        )

    def create_database(self, name: str, *, like: str = "template1") -> None:
        """Create a database as a copy of another one that nobody is connected to."""
        text = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
        with self.connect() as connection:
            connection.execute(text.format(sql.Identifier(name), sql.Identifier(like)))

    def drop_database(self, name: str) -> None:
        """Drop a database and end its sessions."""
        text = sql.SQL("DROP DATABASE {} WITH (FORCE)")
        with self.connect() as connection:
            connection.execute(text.format(sql.Identifier(name)))

    def _try_start(self, port: int) -> bool:
        settings = {**_SETTINGS, "unix_socket_directories": str(self._home), "port": str(port)}
        settings["listen_addresses"] = "127.0.0.1"
        options = [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                [self._binaries / "postgres", "-D", self._home / "data", *options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environment(),
                cwd=self._home,
                start_new_session=True,
                preexec_fn=die_with_parent(os.getpid()),  # noqa: PLW1509  # no thread runs yet
                **self._identity(),
            )
        self._process = process
        deadline = time.monotonic() + _START_SECONDS
        while process.poll() is None:
            try:
                with psycopg.connect(host=str(self._home), port=port, user=USER, dbname="postgres"):
                    return True
            except psycopg.OperationalError:
                if time.monotonic() > deadline:
                    process.kill()
                time.sleep(0.02)
        self._process = None
        return False

    def _signal_all(self, number: signal.Signals) -> None:
        assert self._process is not None
        # Each session is a child of the server, in a process group of its own.
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and _parent(entry) == self._process.pid:
                os.kill(int(entry.name), number)
        os.kill(self._process.pid, number)

    def _identity(self) -> dict[str, int | list[int]]:
        if self._account is None:
            return {}
        found = self._account
        return {"user": found.pw_uid, "group": found.pw_gid, "extra_groups": []}

    def _environment(self) -> dict[str, str]:
        return {"PATH": os.defpath, "HOME": str(self._home), "LC_ALL": "C"}

    def _reachable(self, binaries: Path) -> Path:
        """Return the binaries, or a copy where the server's account may not enter their folder."""
        try:
            subprocess.run(
                [binaries / "postgres", "--version"],
                stdout=subprocess.DEVNULL,
                check=True,
                env=self._environment(),
                cwd=self._home,
                **self._identity(),
            )
        except PermissionError:
            return _copy(binaries, self._home / "install")
        return binaries


def _account() -> pwd.struct_passwd | None:
    return pwd.getpwnam("nobody") if os.geteuid() == 0 else None


def _copy(binaries: Path, into: Path) -> Path:
    """Copy an installation, and the libraries that a Python package keeps beside itself."""
    prefix = binaries.parent
    package = prefix.parent
    useless = shutil.ignore_patterns("include", "*.a")
    shutil.copytree(prefix, into / package.name / prefix.name, ignore=useless, symlinks=True)
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, into / libraries.name)
    return into / package.name / prefix.name / binaries.name


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _parent(process: Path) -> int:
    try:
        # The name, in brackets, may hold spaces.
        return int((process / "stat").read_text().rpartition(")")[2].split()[1])
    except (OSError, IndexError, ValueError):
        return 0
