"""Patroni as docs/operating/postgresql.md sets it up: three members and three etcd, here on loopback ports.

What runs is the configuration of that page, read out of it; only names, addresses and folders are replaced.
"""

import json
import os
import re
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg

from backend.ops.supervise import die_with_parent
from tests.support import processes
from tests.support.postgres import binary, free_port, unprivileged_user

TOP = Path(__file__).parents[2]
PAGE = TOP / "docs" / "operating" / "postgresql.md"
PROGRAMS = TOP / ".venv-patroni" / "bin"
SIZE = 3
HOSTS = tuple(f"192.0.2.{11 + number}" for number in range(SIZE))  # as on the page
LOOPBACK = "127.0.0.2"  # as a member's own address, Patroni's validation refuses 127.0.0.1
READY_SECONDS = 120
STOP_SECONDS = 20
POLL_SECONDS = 0.1


def documented() -> tuple[str, str]:
    """The page's configuration of a member, and the SQL that makes our user and database."""
    page = PAGE.read_text()
    found = re.search(r"^```yaml\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    made = re.search(r"^```sql\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    assert found
    assert made
    return found[1], made[1]


class Ports:
    """Stands in for the page's addresses: each host and port there is a port of the loopback here."""

    def __init__(self) -> None:
        self._known: dict[str, int] = {}

    def of(self, host: str, port: int) -> int:
        return self._known.setdefault(f"{host}:{port}", free_port())

    def render(self, member: int, folder: Path) -> str:
        """The page's configuration for one member."""
        text, _sql = documented()
        for before, after in (
            ("name: pg1", f"name: pg{member + 1}"),
            (f"{HOSTS[0]}:8008", f"{HOSTS[member]}:8008"),
            (f"{HOSTS[0]}:5432", f"{HOSTS[member]}:5432"),
            ("/var/lib/postgresql/15/truestub", str(folder / "data")),
            ("/usr/lib/postgresql/15/bin", str(Path(binary("postgres")).parent)),
            ("192.0.2.0/28", "127.0.0.0/8"),
        ):
            assert before in text, f"the page no longer says {before}"
            text = text.replace(before, after)
        return re.sub(r"(192\.0\.2\.\d+):(\d+)", lambda at: f"{LOOPBACK}:{self.of(at[1], int(at[2]))}", text)


class PatroniCluster:
    """Three members; a `Cluster` of tests.support.failover."""

    def __init__(self) -> None:
        self._user = unprivileged_user()
        self.folder = Path(tempfile.mkdtemp(prefix="truestub-patroni-"))
        self.folder.chmod(0o755)
        self._ports, self._password = Ports(), secrets.token_hex(16)
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._killed: str | None = None
        self._names = tuple(f"pg{number + 1}" for number in range(SIZE))
        # Clients find the password where the page says, not in the address.
        passwords = self.folder / "pgpass"
        passwords.write_text(f"*:*:*:*:{self._password}\n")
        passwords.chmod(0o600)
        os.environ["PGPASSFILE"] = str(passwords)
        try:
            self._start_all()
        except BaseException:
            self.close()
            raise

    def url(self, database: str) -> str:
        hosts = "&".join(f"host={LOOPBACK}:{self._ports.of(host, 5432)}" for host in HOSTS)
        return f"postgresql://truestub@/{database}?{hosts}&target_session_attrs=read-write"

    def create_database(self) -> str:
        """As the page says, with our user."""
        _yaml, sql = documented()
        for statement in sql.replace("'...'", f"'{self._password}'").splitlines():
            self._execute(statement)
        return "truestub"

    def leader(self) -> str | None:
        """Who says of itself that it takes writes."""
        return next((name for name in self._names if self._status(name, "/primary")), None)

    def kill_primary(self) -> None:
        """SIGKILL for Patroni, which so keeps its lease, and for its PostgreSQL, as if the power went."""
        self._killed = self.leader()
        assert self._killed
        patroni = self._running[self._killed]
        postmaster = int((self._data(self._killed) / "postmaster.pid").read_text().split()[0])
        patroni.kill()
        processes.kill(postmaster)
        patroni.wait()

    def switch_over(self) -> None:
        """What an operator does before work on a host."""
        self._control("switchover", "--leader", str(self.leader()), "--force")

    def rejoin(self) -> None:
        """Whoever was killed is started again, and finds its place."""
        if self._killed:
            self._start_member(self._killed)
            self._killed = None
        self._wait_whole()

    def rewinds(self) -> int:
        """How often pg_rewind brought a member back."""
        return sum(self._log(name).read_text().count("pg_rewind exit code=0") for name in self._names)

    def close(self) -> None:
        members = [self._running[name] for name in self._names if name in self._running]
        others = [process for process in self._running.values() if process not in members]
        for group in (members, others):  # etcd last: a member gives its lease back
            for process in group:
                process.send_signal(signal.SIGTERM)
            for process in group:
                try:
                    process.wait(STOP_SECONDS)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
        for name in self._names:  # a member that was killed while it stopped leaves its PostgreSQL behind
            left = self._data(name) / "postmaster.pid"
            if left.exists():
                processes.kill(int(left.read_text().split()[0]))
        os.environ.pop("PGPASSFILE", None)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _start_all(self) -> None:
        etcd = shutil.which("etcd") or str(TOP / "build" / "etcd" / "usr" / "bin" / "etcd")
        peers = ",".join(f"etcd{n}=http://{LOOPBACK}:{self._ports.of(host, 2380)}" for n, host in enumerate(HOSTS))
        for number, host in enumerate(HOSTS):
            client = f"http://{LOOPBACK}:{self._ports.of(host, 2379)}"
            peer = f"http://{LOOPBACK}:{self._ports.of(host, 2380)}"
            self._start(
                f"etcd{number}",
                *(etcd, "--name", f"etcd{number}", "--data-dir", str(self.folder / f"etcd{number}")),
                *("--listen-client-urls", client, "--advertise-client-urls", client),
                *("--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer),
                *("--initial-cluster", peers, "--log-level", "warn"),
            )
        for number, name in enumerate(self._names):
            folder = self.folder / name
            folder.mkdir()
            if self._user:
                shutil.chown(folder, self._user)
            (folder / "patroni.yml").write_text(self._ports.render(number, folder))
            self._start_member(name)
        self._wait_whole()

    def _start_member(self, name: str) -> None:
        self._start(name, str(PROGRAMS / "patroni"), str(self.folder / name / "patroni.yml"), user=self._user)

    def _start(self, name: str, *command: str, user: str | None = None) -> None:
        with self._log(name).open("ab") as log:
            self._running[name] = subprocess.Popen(
                command,
                stdout=log,
                stderr=log,
                cwd=self.folder / name if user else self.folder,
                user=user,
                env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", **self._passwords()},
                preexec_fn=die_with_parent,  # noqa: PLW1509 - only prctl
            )

    def _passwords(self) -> dict[str, str]:
        return {f"PATRONI_{user}_PASSWORD": self._password for user in ("SUPERUSER", "REPLICATION", "REWIND")}

    def _wait_whole(self) -> None:
        """Until there is one leader, one synchronous standby, and one replica, all at work."""
        wanted = ["leader", "replica", "sync_standby"]
        wait_for(lambda: sorted(self._roles()) == wanted, lambda: f"the cluster is not whole: {self._tails()}")

    def _roles(self) -> list[str]:
        for name in self._names:
            found = self._status(name, "/cluster")
            if found:
                return [one["role"] for one in found["members"] if one["state"] in ("running", "streaming")]
        return []

    def _status(self, name: str, path: str) -> Any:
        """What a member's REST API answers with 200, else None."""
        port = self._ports.of(HOSTS[self._names.index(name)], 8008)
        try:
            with urllib.request.urlopen(f"http://{LOOPBACK}:{port}{path}", timeout=2) as answer:
                return json.load(answer)
        except (OSError, urllib.error.URLError):
            return None

    def _control(self, command: str, *options: str) -> None:
        """`patronictl`."""
        place = self.folder / self._names[0] / "patroni.yml"
        words = [str(PROGRAMS / "patronictl"), "-c", str(place), command, "truestub", *options]
        done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=READY_SECONDS)
        if done.returncode:
            raise RuntimeError(f"patronictl {command}: {done.stdout}{done.stderr}")

    def _execute(self, sql: str) -> None:
        hosts = ",".join(f"{LOOPBACK}:{self._ports.of(host, 5432)}" for host in HOSTS)
        place = f"postgresql://postgres@{hosts}/postgres?target_session_attrs=read-write"
        with psycopg.connect(place, autocommit=True) as connection:
            connection.execute(sql.encode())

    def _data(self, name: str) -> Path:
        return self.folder / name / "data"

    def _log(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    def _tails(self) -> str:
        return "\n".join(f"{name}: {self._log(name).read_text()[-1500:]}" for name in self._running)


def wait_for(true: Callable[[], bool], otherwise: Callable[[], str]) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while not true():
        if time.monotonic() > deadline:
            raise RuntimeError(otherwise())
        time.sleep(POLL_SECONDS)
