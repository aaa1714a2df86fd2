"""A database that is moved away is written no more, and what is put in its place is what everybody sees."""

from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from backend.db.engine import make_engine, read
from backend.db.failures import failure_of


def made(path: Path, word: str) -> Engine:
    engine = make_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE words (word TEXT)")
        connection.exec_driver_sql("INSERT INTO words VALUES (?)", (word,))
    return engine


def test_nobody_writes_into_a_database_that_was_moved_away(tmp_path: Path) -> None:
    live = tmp_path / "live.sqlite"
    engine = made(live, "old")
    move_away(live)
    for _again in range(2):
        with pytest.raises(OperationalError, match="moved away") as refused, engine.begin():
            pass
        assert failure_of(refused.value) == "unreachable", "buyers are told to try again"
    assert not live.exists(), "a restore finds its place empty"
    made(tmp_path / "restored.sqlite", "restored").dispose()
    (tmp_path / "restored.sqlite").rename(live)
    with read(engine) as connection:
        assert connection.exec_driver_sql("SELECT word FROM words").scalars().all() == ["restored"]
    engine.dispose()


def test_a_database_put_in_the_place_of_another_is_seen_at_once(tmp_path: Path) -> None:
    live = tmp_path / "live.sqlite"
    engine = made(live, "old")
    made(tmp_path / "restored.sqlite", "restored").dispose()
    move_away(live)
    (tmp_path / "restored.sqlite").rename(live)
    with engine.begin() as connection:
        assert connection.exec_driver_sql("SELECT word FROM words").scalars().all() == ["restored"]
    engine.dispose()


def move_away(live: Path) -> None:
    """As an operator does, with what belongs to it."""
    (live.parent / "away").mkdir()
    for path in live.parent.glob("live.sqlite*"):
        path.rename(live.parent / "away" / path.name)
