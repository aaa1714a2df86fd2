"""A batch that the contract does not take is mended under its own number, and its tickets get their tokens."""

import pytest
from sqlalchemy import Engine, select, update

from backend.chain.batcher import close_batches
from backend.chain.calldata import mint_calldata
from backend.chain.repair import MAX_GAS, repair
from backend.db.tables.chain import Batch, ChainJob
from backend.db.tables.orders import Ticket
from tests.support.chain_node import ChainNode
from tests.support.chain_platform import ChainPlatform, start_platform
from tests.support.rows import add_paid_tickets

OWNERS = [bytes([number]) * 20 for number in (1, 2, 3)]


@pytest.fixture
def platform(engine: Engine, anvil: ChainNode) -> ChainPlatform:
    made = start_platform(engine, anvil)
    with engine.begin() as connection:
        add_paid_tickets(connection, made.event_id, OWNERS)
    close_batches(engine, 0)
    return made


def mint_job(platform: ChainPlatform) -> ChainJob:
    with platform.engine.connect() as connection:
        return connection.execute(select(ChainJob.__table__).where(ChainJob.kind == "mint")).one()  # type: ignore[return-value]


def minted(platform: ChainPlatform) -> None:
    platform.until(lambda: platform.minted() == len(OWNERS), "three tokens")
    platform.agrees()
    assert mint_job(platform).batch_number == 1


def test_a_batch_with_too_little_gas_gets_more_under_its_own_number(platform: ChainPlatform) -> None:
    with platform.engine.begin() as connection:
        connection.execute(update(ChainJob).where(ChainJob.kind == "mint").values(gas_limit=60_000))
    minted(platform)
    assert mint_job(platform).gas_limit > 60_000


def test_a_batch_whose_calldata_was_damaged_is_sent_as_it_was_closed(platform: ChainPlatform) -> None:
    with platform.engine.begin() as connection:
        connection.execute(update(ChainJob).where(ChainJob.kind == "mint").values(calldata=b"\xff" * 36))
    minted(platform)


def test_a_batch_in_a_wrong_order_is_put_in_order_and_superseded_codes_get_higher_serials(
    platform: ChainPlatform,
) -> None:
    with platform.engine.begin() as connection:
        swapped = {OWNERS[0]: OWNERS[2], OWNERS[2]: OWNERS[0]}
        for ticket, owner in connection.execute(select(Ticket.id, Ticket.owner)).all():
            values = {"owner": swapped.get(owner, owner), "serial": 1}
            connection.execute(update(Ticket).where(Ticket.id == ticket).values(values))
        owners = b"".join(reversed(OWNERS))
        connection.execute(update(Batch).values(owners=owners))
        calldata = mint_calldata(1, 1, owners)
        connection.execute(update(ChainJob).where(ChainJob.kind == "mint").values(calldata=calldata))
    minted(platform)
    with platform.engine.connect() as connection:
        rows = connection.execute(select(Ticket.owner, Ticket.serial).order_by(Ticket.token_id)).all()
    assert [tuple(row) for row in rows] == [(OWNERS[0], 2), (OWNERS[1], 1), (OWNERS[2], 2)]


@pytest.mark.parametrize("reason", ["stopped", "capacity_exceeded", "batch_taken", "cancelled_event"])
def test_what_waits_for_others_is_left_as_it_is(platform: ChainPlatform, reason: str) -> None:
    before = mint_job(platform)
    with platform.engine.begin() as connection:
        assert repair(connection, before, reason)  # type: ignore[arg-type]
    assert mint_job(platform) == before


def test_gas_is_never_raised_beyond_what_a_transaction_may_have(platform: ChainPlatform) -> None:
    with platform.engine.begin() as connection:
        connection.execute(update(ChainJob).where(ChainJob.kind == "mint").values(gas_limit=MAX_GAS - 1))
    near = mint_job(platform)
    with platform.engine.begin() as connection:
        repair(connection, near, "out of gas")  # type: ignore[arg-type]
        full = connection.execute(select(ChainJob.__table__).where(ChainJob.kind == "mint")).all()
        assert full[0].gas_limit == MAX_GAS
        repair(connection, full[0], "out of gas")
    assert mint_job(platform).gas_limit == MAX_GAS
