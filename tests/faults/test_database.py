"""The database, broken in every way we know: each test is a row of docs/faults.md."""

import json
import time
from pathlib import Path

import httpx
import psycopg
import pytest

from backend.db.engine import make_engine, read
from backend.db.tables.orders import Ticket
from tests.faults import history
from tests.faults.arena import SETTLE_SECONDS, SHOWN_SECONDS, SLUG, TOLD_SECONDS, Arena, Seen
from tests.support.failover import run
from tests.support.guest import Guest
from tests.support.installation import wait_until
from tests.support.replicated import Pair

KILLS, CUTS = 10, 5
TOOK_OVER_SECONDS = 1.0  # as long as a promoter needs to be sure
only_postgresql = pytest.mark.parametrize("arena", ["postgresql"], indirect=True)
APP = "tests/backend/web/test_app.py::"


def pair_of(arena: Arena) -> Pair:
    assert arena.pair is not None
    return arena.pair


@pytest.mark.faults(row="database: SIGKILL under load", short=APP + "test_a_database_killed_under_way_is_waited_for")
@only_postgresql
def test_killed_under_load(arena: Arena, seen: Seen) -> None:
    """Down for so long that buyers and subscribers are told, then up again with what it has on its disk."""
    primary = pair_of(arena).primary
    arena.row(seen, primary.kill, primary.start, sells=False, crowd=True)


@pytest.mark.faults(row="database: restarted under load", short=APP + "test_a_database_killed_under_way_is_waited_for")
@only_postgresql
def test_restarted_under_load(arena: Arena, seen: Seen) -> None:
    """An operator's restart: nobody is turned away for long, and no subscriber is woken for it."""
    primary = pair_of(arena).primary
    arena.row(seen, primary.interrupt, primary.start, opens=None, sells=False, crowd=True)


@pytest.mark.faults(
    row="database: failover to the synchronous standby",
    short="tests/faults/test_failover.py::test_a_killed_primary_loses_no_acknowledged_order",
)
@only_postgresql
def test_failover(arena: Arena, seen: Seen) -> None:
    pair = pair_of(arena)

    def begin() -> None:
        pair.kill_primary()
        time.sleep(TOOK_OVER_SECONDS)  # nobody leads meanwhile
        pair.promote()

    arena.row(seen, begin, lambda: None, opens=None, sells=False, crowd=True)
    pair.rejoin()


@pytest.mark.faults(
    row="database: ten failovers under load (till alone, six buyers)",
    short="tests/faults/test_failover.py::test_a_killed_primary_loses_no_acknowledged_order",
)
def test_ten_killed_primaries_lose_no_acknowledged_order(tmp_path: Path, seen: Seen) -> None:
    result = run(tmp_path, KILLS)
    print(json.dumps({"failover_lost": result.lost, "failover_s": round(max(result.gaps_s), 2)}))
    assert (result.lost, result.problems) == (0, ())
    assert len(result.gaps_s) == KILLS
    seen.sold, seen.back_s, seen.checked = result.acknowledged, max(result.gaps_s), True


@pytest.mark.faults(
    row="database: connections cut under load", short=APP + "test_cut_connections_are_opened_again_and_nothing_is_lost"
)
@only_postgresql
def test_connections_cut(arena: Arena, seen: Seen) -> None:
    def begin() -> None:
        for _ in range(CUTS):
            cut_connections(pair_of(arena).primary.url("postgres"))
            time.sleep(0.5)  # between one cut and the next

    arena.row(seen, begin, lambda: None, opens=None, crowd=True)


@pytest.mark.faults(
    row="database: synchronous standby stalled (SIGSTOP)",
    short="tests/backend/ops/test_stalled_standby.py::test_a_stalled_standby_is_told_and_nothing_is_lost",
)
@only_postgresql
def test_standby_stalled(arena: Arena, seen: Seen) -> None:
    """Commits wait: the status says what buyers wait for, and subscribers hear of it meanwhile."""
    standby = pair_of(arena).standby

    def meanwhile() -> None:
        assert any("second copy" in one["sentence"] for one in arena.incidents())

    arena.row(
        seen,
        standby.pause,
        standby.wake,
        sells=False,
        crowd=True,
        meanwhile=meanwhile,
    )


@pytest.mark.faults(
    row="database: primary hanging (SIGSTOP)",
    short="tests/backend/web/test_truth.py::test_a_silent_database_hangs_no_probe_and_no_status",
)
@only_postgresql
def test_primary_hanging(arena: Arena, seen: Seen) -> None:
    """No error ever comes: everybody is told all the same, and nothing is asked for in vain."""
    primary = pair_of(arena).primary

    def meanwhile() -> None:
        assert httpx.get(arena.platform.url + "/readyz", timeout=10).status_code == 503
        assert httpx.get(arena.platform.url + "/healthz", timeout=10).status_code == 200

    arena.row(seen, primary.pause, primary.wake, sells=False, crowd=True, meanwhile=meanwhile)


@pytest.mark.faults(
    row="database: takes nothing in (read-only)",
    short="tests/backend/web/test_truth.py::test_the_status_says_that_nothing_is_sold_while_the_till_can_not_write",
)
@only_postgresql
def test_read_only(arena: Arena, seen: Seen) -> None:
    url = pair_of(arena).primary.url("postgres")

    def meanwhile() -> None:
        told = httpx.get(arena.platform.url + "/api/v1/status", timeout=10).json()
        assert "nothing can be sold" in told["banner"]

    arena.row(
        seen, lambda: let_write(url, "on"), lambda: let_write(url, "off"), sells=False, crowd=True, meanwhile=meanwhile
    )


@pytest.mark.faults(
    row="database: older backup restored",
    short="tests/backend/ops/test_restore.py::test_seats_minted_after_the_backup_are_not_sold_again",
)
def test_older_backup_restored(arena: Arena, seen: Seen) -> None:
    """Tickets sold after the backup come back from the chain under their numbers; sales stay closed until then."""
    platform = arena.platform
    early = arena.sell(3)
    arena.settle()
    platform.run("backup", "key", str(platform.folder / "backup.key"))
    platform.run("backup", "--to", str(platform.folder / "backups"))
    (backup,) = (platform.folder / "backups").glob("*.truestub-backup")
    known = set(arena.acknowledged)
    bought = arena.sell(3)
    guest = Guest(platform, SLUG)
    guest.give_back(early)  # which only the bank and the chain will know
    guest.close()
    arena.settle()
    tokens = _tokens(arena)
    seen.sold = len(bought.credentials)
    for name in ("web", "work", "signer"):
        platform.kill(name)
    _empty_database(arena)
    platform.run("restore", str(backup), "--key", str(platform.folder / "backup.key"))
    arena.engine = make_engine(platform.database_url)
    tell_of_the_restore(arena, seen)
    platform.run("reconcile", "--refund-unknown")
    wait_until(lambda: not arena.incidents(), "the incident to close by itself", SETTLE_SECONDS)
    arena.acknowledged &= known  # the orders are gone; their tickets are not:
    assert tokens <= _tokens(arena)
    assert history.revoked_but_good(arena.engine) == 0, "what was given back after the backup stays void"
    arena.sell(2)
    seen.sold += 2
    arena.check()
    seen.checked = True


def tell_of_the_restore(arena: Arena, seen: Seen) -> None:
    """Everything runs: nothing is sold, the status says why, and so is the subscriber told."""
    before = time.monotonic()
    for name in ("signer", "work", "web"):
        arena.start_process(name)
    began = time.monotonic()
    told = lambda: [one for one in arena.incidents() if one["component"] == "restore"]  # noqa: E731 - said once
    wait_until(told, "the incident", SHOWN_SECONDS)
    seen.opened_s, seen.incident = time.monotonic() - began, "restore (restored)"
    wait_until(lambda: arena.subscriber.told_of_opening(before), "the subscriber to be told", TOLD_SECONDS)
    seen.told_s = time.monotonic() - began
    answer = httpx.get(arena.platform.url + "/api/v1/status", timeout=10).json()
    assert (answer["state"], "compared with bank and chain" in answer["banner"]) == ("down", True)


def let_write(url: str, read_only: str) -> None:
    """As a host does whose disk runs full: every transaction from now on can only read, or not so any more."""
    with psycopg.connect(url, autocommit=True, options="-c default_transaction_read_only=off") as connection:
        connection.execute(f"ALTER SYSTEM SET default_transaction_read_only = {read_only}")
        connection.execute("SELECT pg_reload_conf()")


def cut_connections(url: str) -> None:
    """As an operator or a firewall does: every connection of ours to this server ends."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
        )


def _tokens(arena: Arena) -> set[int | None]:
    with read(arena.engine) as connection:
        return set(connection.scalars(Ticket.__table__.select().with_only_columns(Ticket.token_id)))


def _empty_database(arena: Arena) -> None:
    """The database is lost; an empty one stands in its place."""
    arena.engine.dispose()
    if arena.pair is None:
        for file in arena.data.glob("truestub.sqlite*"):
            file.unlink()
        return
    primary = arena.pair.primary
    name = primary.create_database().rpartition("/")[2]
    arena.platform.database_url = arena.pair.url(name)
    arena.platform.environ["TRUESTUB_DATABASE_URL"] = arena.platform.database_url
