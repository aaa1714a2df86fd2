"""Every paid ticket gets exactly one token id, whatever happens while batches close, and the contract will take it."""

import threading
from uuid import UUID

import pytest
from eth_abi.abi import encode
from eth_hash.auto import keccak
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, func, select

from backend.chain.batcher import close_batches
from backend.chain.calldata import mint_calldata
from backend.chain.jobs import enqueue_create_event
from backend.db.tables.chain import Batch, ChainJob
from backend.db.tables.orders import Ticket
from backend.domain.batching import DAY_MS, MAX_BATCH, Sold, Waiting, in_batch_order, is_due
from tests.support.rows import add_event, add_paid_tickets

NOW, FAR = 1_000_000_000_000, 2_000_000_000_000
MINUTE = 60_000


def address(number: int) -> bytes:
    return number.to_bytes(20)


def event_with_tickets(engine: Engine, owners: list[bytes]) -> UUID:
    with engine.begin() as connection:
        event_id = add_event(connection)
        enqueue_create_event(connection, event_id)
        for start in range(0, len(owners), 100):
            add_paid_tickets(connection, event_id, owners[start : start + 100])
    return event_id


def waiting(count: int = 1, age_ms: int = 0, batches: int = 0, doors_ms: int = FAR) -> Waiting:
    return Waiting(count, NOW - age_ms, batches, doors_ms)


def test_a_full_batch_closes_at_once() -> None:
    assert is_due(waiting(MAX_BATCH), NOW, MINUTE)
    assert not is_due(waiting(MAX_BATCH - 1), NOW, MINUTE)


def test_a_hot_sale_closes_after_a_second_and_never_singly() -> None:
    assert not is_due(waiting(50, 999), NOW, MINUTE)
    assert is_due(waiting(50, 1000), NOW, MINUTE)
    assert not is_due(waiting(1, 1000), NOW, MINUTE)


def test_a_quiet_sale_closes_within_a_minute_and_on_the_day_within_a_second() -> None:
    assert not is_due(waiting(1, MINUTE - 1), NOW, MINUTE)
    assert is_due(waiting(1, MINUTE), NOW, MINUTE)
    assert is_due(waiting(1, 1000, doors_ms=NOW + DAY_MS), NOW, MINUTE)


def test_an_event_with_many_batches_waits_longer() -> None:
    assert not is_due(waiting(1, 9 * MINUTE, batches=1000), NOW, MINUTE)
    assert is_due(waiting(1, 10 * MINUTE, batches=1000), NOW, MINUTE)


@given(st.lists(st.integers(1, 5), min_size=1, max_size=40))
def test_owners_never_fall_and_an_owners_tickets_keep_their_order(owners: list[int]) -> None:
    tickets = [Sold(UUID(int=at), address(owner)) for at, owner in enumerate(owners)]
    batch = in_batch_order(tickets)
    keys = [(ticket.owner, ticket.ticket_id.int) for ticket in batch]
    assert keys == sorted(keys)


@pytest.mark.parametrize("owner", [bytes(20), b"short"])
def test_an_owner_the_contract_would_refuse_is_refused_here(owner: bytes) -> None:
    with pytest.raises(ValueError, match="owner"):
        in_batch_order([Sold(UUID(int=1), owner)])


@pytest.mark.parametrize("count", [1, 8, 13])
def test_calldata_is_what_the_abi_says(count: int) -> None:
    owners = b"".join(address(number) for number in range(1, count + 1))
    expected = keccak(b"mint(uint32,uint8,bytes)")[:4] + encode(["uint32", "uint8", "bytes"], [7, 0, owners])
    assert mint_calldata(7, 1, owners) == expected


def test_each_paid_ticket_gets_one_token_id_and_each_batch_one_job(engine: Engine) -> None:
    owners = [address(1 + number * 7919 % 1000) for number in range(MAX_BATCH + 30)]
    event_id = event_with_tickets(engine, owners)
    assert close_batches(engine, 0) == len(owners)
    with engine.connect() as connection:
        tickets = connection.execute(select(Ticket.token_id, Ticket.batch_number, Ticket.owner)).all()
        batches = {
            number: (count, owners)
            for number, count, owners in connection.execute(select(Batch.number, Batch.count, Batch.owners))
        }
        jobs = connection.execute(select(ChainJob).where(ChainJob.kind == "mint")).all()
    assert len({token for token, _, _ in tickets}) == len(owners)
    assert sorted(batches) == [1, 2]
    assert [batches[number][0] for number in (1, 2)] == [MAX_BATCH, 30]
    for token, number, owner in tickets:
        assert token is not None
        index = token & 0xFFFF
        assert number == token >> 16
        assert batches[number][1][20 * index : 20 * index + 20] == owner
    assert {job.key for job in jobs} == {f"mint:{event_id}:1", f"mint:{event_id}:2"}
    assert all(job.depends_on is not None for job in jobs)


def test_two_batchers_at_once_number_no_ticket_twice(engine: Engine) -> None:
    event_with_tickets(engine, [address(number) for number in range(1, 2001)])
    closed: list[int] = []
    threads = [threading.Thread(target=lambda: closed.append(close_batches(engine, 0))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    close_batches(engine, 0)
    with engine.connect() as connection:
        numbered, distinct = connection.execute(
            select(func.count(Ticket.token_id), func.count(func.distinct(Ticket.token_id)))
        ).one()
        total = connection.scalar(select(func.sum(Batch.count)))
    assert numbered == distinct == total == 2000


def test_a_class_never_shares_a_batch(engine: Engine) -> None:
    with engine.begin() as connection:
        event_id = add_event(connection, (10, 10))
        enqueue_create_event(connection, event_id)
        add_paid_tickets(connection, event_id, [address(1)] * 3, class_number=1)
        add_paid_tickets(connection, event_id, [address(1)] * 4, class_number=2)
    close_batches(engine, 0)
    with engine.connect() as connection:
        assert sorted(connection.execute(select(Batch.class_number, Batch.count)).all()) == [(1, 3), (2, 4)]


def test_tickets_sold_just_now_wait_for_company(engine: Engine) -> None:
    with engine.begin() as connection:
        event_id = add_event(connection, doors_ms=9_000_000_000_000)
        enqueue_create_event(connection, event_id)
        add_paid_tickets(connection, event_id, [address(1)], sold_ms=8_000_000_000_000)
    assert close_batches(engine, 60) == 0
