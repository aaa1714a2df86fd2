"""A synchronous standby that is silent: commits wait and are not cancelled, and everybody is told meanwhile."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest
from sqlalchemy import Engine, select, text

from backend.db.engine import make_engine, read
from backend.db.migrate import upgrade
from backend.db.models import Incident
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
    os.kill(pair.standby.pid, signal.SIGSTOP)
    for child in Path(f"/proc/{pair.standby.pid}/task/{pair.standby.pid}/children").read_text().split():
        os.kill(int(child), signal.SIGSTOP)
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
        for child in Path(f"/proc/{pair.standby.pid}/task/{pair.standby.pid}/children").read_text().split():
            os.kill(int(child), signal.SIGCONT)
        os.kill(pair.standby.pid, signal.SIGCONT)
        seller.join(30)
    assert not seller.is_alive()
    assert _sales(engine, tmp_path) is None
    with read(engine) as connection:
        assert connection.scalar(text("SELECT name FROM events")) == "written"
    engine.dispose()
    telling.dispose()


def _write(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("UPDATE events SET name = 'written'"))


def _sales(engine: Engine, folder: Path) -> str | None:
    """What is said of sales, if they don't work."""
    told = status_now(engine, folder / "none.sock", folder)
    return next(
        (one["sentence"] for one in told["components"] if one["name"] == "sales" and one["state"] == "down"), None
    )
