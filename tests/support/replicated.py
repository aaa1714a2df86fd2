"""Two real PostgreSQL servers, one the synchronous standby of the other, and a promoter that stands in for Patroni.

The promoter does what any promoter must, and no more: it watches the primary, and when that is gone it promotes the one
standby that was synchronous when last seen. It has no quorum and no fencing: on one machine there is nobody to fence.
"""

import shutil
import tempfile
import threading
import time
from pathlib import Path

import psycopg

from tests.support.postgres import PostgresServer, _binaries, free_port, unprivileged_user

NAME = "standby"  # of whoever is the standby now, as the primary knows it
WATCH_SECONDS = 0.1
MISSES = 3  # looks without an answer, after which the primary is gone
WAIT_SECONDS = 60


class Copy(PostgresServer):
    """A server that begins as a copy of another and follows it."""

    def __init__(self, source: PostgresServer) -> None:
        self._bin, self._user = _binaries(), unprivileged_user()
        self.folder = Path(tempfile.mkdtemp(prefix="truestub-pg-"))
        self.folder.chmod(0o700)
        if self._user:
            shutil.chown(self.folder, self._user)
        self.port = free_port()
        self._process = None
        self.follow(source)

    def follow(self, source: PostgresServer) -> None:
        """Begin anew as a copy of `source`."""
        follow(self, source)


def follow(server: PostgresServer, source: PostgresServer) -> None:
    """Make a stopped server a standby of `source`, from nothing."""
    shutil.rmtree(server._data, ignore_errors=True)
    place = f"host=127.0.0.1 port={source.port} user=truestub application_name={NAME}"
    server._run(
        "pg_basebackup", "-d", place, "-D", str(server._data), "-R", "-X", "stream", "--checkpoint=fast", "--no-sync"
    )


class Pair:
    """A primary and its synchronous standby, which change places at every fail-over."""

    def __init__(self) -> None:
        self.primary: PostgresServer = PostgresServer().start()
        self.standby: PostgresServer = Copy(self.primary)
        self._join()

    def url(self, database: str) -> str:
        """For clients: both hosts, and only the one that takes writes."""
        hosts = "&".join(f"host=127.0.0.1:{one.port}" for one in (self.primary, self.standby))
        return f"postgresql://truestub@/{database}?{hosts}&target_session_attrs=read-write"

    def kill_primary(self) -> None:
        self.primary.kill()

    def promote(self) -> None:
        """The standby becomes the primary."""
        with psycopg.connect(self.standby.url("postgres"), autocommit=True) as connection:
            connection.execute("SELECT pg_promote(true, 60)")
            # It has no standby yet. Patroni, not strict, does the same; strict, writes would wait for the next one.
            connection.execute("ALTER SYSTEM SET synchronous_standby_names = ''")
            connection.execute("SELECT pg_reload_conf()")
        self.primary, self.standby = self.standby, self.primary

    def rejoin(self) -> None:
        """The one that was killed comes back as the standby, and commits wait for it from then on."""
        follow(self.standby, self.primary)
        self._join()

    def is_synchronous(self) -> bool:
        """Whether the primary's commits wait for its standby."""
        with psycopg.connect(self.primary.url("postgres"), connect_timeout=2) as connection:
            found = connection.execute(
                "SELECT count(*) FROM pg_stat_replication WHERE application_name = %s AND sync_state = 'sync'", (NAME,)
            ).fetchone()
        return found == (1,)

    def close(self) -> None:
        for server in (self.standby, self.primary):
            server.stop()

    def _join(self) -> None:
        self.standby.start()
        with psycopg.connect(self.primary.url("postgres"), autocommit=True) as connection:
            connection.execute(f"ALTER SYSTEM SET synchronous_standby_names = '{NAME}'")
            connection.execute("SELECT pg_reload_conf()")
        deadline = time.monotonic() + WAIT_SECONDS
        while not self.is_synchronous():
            assert time.monotonic() < deadline, "the standby does not become synchronous"
            time.sleep(0.05)


class PromotedPair(Pair):
    """A pair with its promoter; a `Cluster` of tests.support.failover."""

    def __init__(self) -> None:
        super().__init__()
        self._promoter = Promoter(self)
        self._promoter.await_safe()

    def create_database(self) -> str:
        return self.primary.create_database().rpartition("/")[2]

    def leader(self) -> str:
        return str(self.primary.port)

    def rejoin(self) -> None:
        """And the promoter has seen it: a standby that it never saw synchronous is never promoted."""
        super().rejoin()
        self._promoter.await_safe()

    def close(self) -> None:
        self._promoter.close()
        super().close()


class Promoter:
    """Watches a pair in a thread of its own."""

    def __init__(self, pair: Pair) -> None:
        self._pair, self._stop = pair, threading.Event()
        self._safe = False  # the standby was synchronous when last seen
        self._thread = threading.Thread(target=self._run, name="promoter")
        self._thread.start()

    def await_safe(self) -> None:
        """Wait until the standby was seen to be synchronous."""
        deadline = time.monotonic() + WAIT_SECONDS
        while not self._safe:
            assert time.monotonic() < deadline, "the promoter sees no synchronous standby"
            time.sleep(0.01)

    def close(self) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        misses = 0
        while not self._stop.wait(WATCH_SECONDS):
            try:
                self._safe = self._pair.is_synchronous()
                misses = 0
            except psycopg.OperationalError:
                misses += 1
            if misses >= MISSES and self._safe:
                self._pair.promote()
                self._safe, misses = False, 0
