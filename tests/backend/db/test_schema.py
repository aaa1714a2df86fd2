"""The database itself keeps the promises that code could forget."""

from uuid import uuid4

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine, insert, select
from sqlalchemy.exc import IntegrityError

from backend.db.clock import now_ms
from backend.db.engine import make_engine, read
from backend.db.migrate import is_current, upgrade
from backend.db.tables.base import Base
from backend.db.tables.events import Platform, SeatClaim


def test_migrations_make_exactly_the_schema_of_the_models(engine: Engine) -> None:
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []


def test_upgrading_twice_changes_nothing(engine: Engine) -> None:
    upgrade(engine)
    assert is_current(engine)


def test_an_empty_database_is_not_called_current() -> None:
    assert not is_current(make_engine("sqlite://"))


def test_a_seat_cannot_be_claimed_twice(engine: Engine) -> None:
    event, seat = uuid4(), 7
    with engine.begin() as connection:
        connection.execute(insert(SeatClaim).values(event_id=event, seat_number=seat, order_id=uuid4()))
    with pytest.raises(IntegrityError), engine.begin() as connection:
        connection.execute(insert(SeatClaim).values(event_id=event, seat_number=seat, order_id=uuid4()))


def test_the_databases_clock_is_in_milliseconds_and_moves(engine: Engine) -> None:
    with engine.begin() as connection:
        first = now_ms(connection)
        assert first > 1_700_000_000_000
        while now_ms(connection) == first:
            pass


def test_reading_does_not_wait_for_a_writer(engine: Engine) -> None:
    with engine.begin() as writer:
        writer.execute(insert(Platform).values(id=1, platform_id=bytes(16), created_ms=0))
        with read(engine) as reader:
            assert reader.execute(select(Platform)).all() == []
