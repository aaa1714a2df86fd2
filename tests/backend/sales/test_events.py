"""Putting events on sale: safe to repeat at any point."""

from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Connection, Engine, select

from backend.db.tables.credentials import SigningKey
from backend.db.tables.events import Event, Seat, Stock
from backend.domain.event_file import parse_event_file
from backend.errors import Refused, refuse
from backend.sales.events import create_event, create_event_from_file, prepare_event

EXAMPLE = Path(__file__).parents[3] / "examples/concert.toml"


@dataclass
class Keys:
    issuing_public_key: bytes
    bundle_public_key: bytes
    custody_address: bytes


class Signer:
    reachable = True

    def prepare_event(self, event_id: UUID) -> Keys:
        if not self.reachable:
            raise refuse("signer_unreachable", "The signer does not answer")
        seed = event_id.bytes
        return Keys(sha256(seed + b"i").digest(), sha256(seed + b"b").digest(), sha256(seed).digest()[:20])


def test_an_event_and_its_stock_come_from_the_file(engine: Engine) -> None:
    event_id, plan = create_event_from_file(engine, EXAMPLE)
    with engine.connect() as connection:
        event = connection.execute(select(Event).where(Event.id == event_id)).one()
        stock = connection.execute(select(Stock.capacity, Stock.held, Stock.sold)).all()
        seats = connection.execute(select(Seat.number)).all()
    assert (event.slug, event.state, event.number) == (plan.slug, "preparing", 0)
    assert sorted(stock) == [(58, 0, 0), (500, 0, 0)]
    assert len(seats) == 58


def test_the_same_file_twice_is_one_event(engine: Engine) -> None:
    assert create_event_from_file(engine, EXAMPLE)[0] == create_event_from_file(engine, EXAMPLE)[0]


def test_a_slug_is_not_given_to_another_event(engine: Engine) -> None:
    plan = parse_event_file(EXAMPLE.read_bytes())
    create_event(engine, plan, bytes(32))
    with pytest.raises(Refused, match="event_exists"):
        create_event(engine, replace(plan, currency="USD"), bytes(31) + b"1")


def test_a_file_that_is_not_there_is_named(engine: Engine, tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"event_file_unreadable: .*nothing\.toml"):
        create_event_from_file(engine, tmp_path / "nothing.toml")


def test_an_event_that_is_over_is_refused(engine: Engine) -> None:
    past = EXAMPLE.read_text().replace("2030-", "2020-").encode()
    with pytest.raises(Refused, match="event_is_over"):
        create_event(engine, parse_event_file(past), bytes(32))


def test_sales_open_once_the_signer_has_made_the_keys(engine: Engine) -> None:
    event_id, _plan = create_event_from_file(engine, EXAMPLE)
    signer, told = Signer(), []

    def enqueue(connection: Connection, event: UUID) -> None:
        told.append(event)

    signer.reachable = False
    with pytest.raises(Refused, match="signer_unreachable"):
        prepare_event(engine, signer, event_id, enqueue)
    assert state(engine, event_id) == "preparing"
    signer.reachable = True
    for _round in range(2):
        prepare_event(engine, signer, event_id, enqueue)
    assert state(engine, event_id) == "on_sale"
    assert told == [event_id]
    with engine.connect() as connection:
        assert sorted(connection.execute(select(SigningKey.role)).scalars()) == ["bundle", "issuing"]


def test_a_failing_chain_outbox_leaves_the_event_unprepared(engine: Engine) -> None:
    event_id, _plan = create_event_from_file(engine, EXAMPLE)

    def enqueue(connection: Connection, event: UUID) -> None:
        raise ConnectionError

    with pytest.raises(ConnectionError):
        prepare_event(engine, Signer(), event_id, enqueue)
    assert state(engine, event_id) == "preparing"


def test_a_signer_with_other_keys_is_noticed(engine: Engine) -> None:
    event_id, _plan = create_event_from_file(engine, EXAMPLE)
    prepare_event(engine, Signer(), event_id, lambda *_: None)

    class Other(Signer):
        def prepare_event(self, event_id: UUID) -> Keys:
            return super().prepare_event(uuid4())

    with pytest.raises(Refused, match="signer_keys_changed"):
        prepare_event(engine, Other(), event_id, lambda *_: None)


def state(engine: Engine, event_id: UUID) -> str:
    with engine.connect() as connection:
        return str(connection.execute(select(Event.state).where(Event.id == event_id)).scalar_one())
