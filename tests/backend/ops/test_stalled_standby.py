"""A synchronous standby that is silent: commits wait and are not cancelled, and everybody is told meanwhile."""

from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest
from sqlalchemy import Engine, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from backend.db.engine import make_engine, read
from backend.db.failures import failure_of
from backend.db.migrate import upgrade
from backend.db.tables.telling import Incident
from backend.ops import health, incidents
from backend.ops.status import status_now
from backend.ops.watch import Watcher
from tests.support.installation import wait_until
from tests.support.replicated import Pair
from tests.support.shop import put_on_sale


@pytest.fixture
def pair() -> Iterator[Pair]:
    made = Pair()
    yield made
    made.close()


def test_a_stalled_standby_is_told_and_nothing_is_lost(
    pair: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "STALLED_COMMIT_MS", 100)
    monkeypatch.setattr(incidents, "OPEN_AFTER_MS", 0)
    url = pair.primary.create_database()
    engine, telling = make_engine(url), make_engine(url, safe_commits=False)
    upgrade(engine)
    put_on_sale(engine)
    watcher = Watcher(telling, tmp_path, tmp_path / "none.sock", lambda: 0.0, "w")
    seller = Thread(target=_write, args=(engine,))
    pair.standby.pause()
    try:
        seller.start()
        told = wait_until(lambda: _sales(engine, tmp_path), "the status to say so")
        assert "second copy" in told
        watcher.look()
        with read(engine) as connection:
            assert connection.scalars(select(Incident.cause).where(Incident.component == "database")).all() == [
                "standby"
            ]
        assert seller.is_alive(), "a waiting commit is never cancelled"
    finally:
        pair.standby.wake()
        seller.join(30)
    assert not seller.is_alive()
    assert _sales(engine, tmp_path) is None
    with read(engine) as connection:
        assert connection.scalar(text("SELECT name FROM events")) == "written"
    _who_waits_too_long_is_sent_away(pair, url, engine)
    engine.dispose()
    telling.dispose()


def _who_waits_too_long_is_sent_away(pair: Pair, url: str, engine: Engine) -> None:
    """A request gives its commit up and says so; until the standby is back others are refused before they write."""
    hasty = make_engine(url, patience_seconds=0.5)
    pair.standby.pause()
    try:
        with pytest.raises(DBAPIError) as given_up:
            _write(hasty, "given up")
        assert failure_of(given_up.value) == "unreachable", "nobody knows what became of it"
        wait_until(lambda: _fate(hasty, "never") == "refused", "writes to be refused at once")
        with read(hasty) as connection:
            assert connection.scalar(text("SELECT count(*) FROM events")) == 1, "reading goes on"
            assert connection.scalar(_WAITING) == 1, "who was refused left nothing behind"
    finally:
        pair.standby.wake()
    wait_until(lambda: _fate(hasty, "after") == "written", "writes to go on")
    with read(engine) as connection:
        assert connection.scalar(text("SELECT name FROM events")) == "after"
    hasty.dispose()


_WAITING = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'")


def _fate(engine: Engine, name: str) -> str:
    try:
        _write(engine, name)
    except PoolTimeout:
        return "refused"
    except DBAPIError as error:
        return str(failure_of(error))  # conflict: the row is locked by the commit that waits
    return "written"


def _write(engine: Engine, name: str = "written") -> None:
    with engine.begin() as connection:
        connection.execute(text("UPDATE events SET name = :name"), {"name": name})


def _sales(engine: Engine, folder: Path) -> str | None:
    """What is said of sales, if they don't work."""
    told = status_now(engine, folder / "none.sock", folder)
    return next(
        (one["sentence"] for one in told["components"] if one["name"] == "sales" and one["state"] == "down"), None
    )
