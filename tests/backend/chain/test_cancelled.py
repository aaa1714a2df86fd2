"""An event that its admin cancels on the chain, past us: nobody buys what can never be minted."""

import pytest
from sqlalchemy import Engine, select, update

from backend.chain.calldata import selector
from backend.chain.cancelled import is_cancelled
from backend.db.engine import read
from backend.db.tables.events import Event
from backend.db.tables.orders import Ticket
from backend.desk.events import desk_event, set_sales
from backend.errors import Refused
from tests.support.chain_node import ChainNode
from tests.support.chain_platform import ADMIN, ChainPlatform, start_platform

CANCEL = selector("cancelEvent()")
SECRET = bytes(32)


@pytest.fixture
def platform(engine: Engine, anvil: ChainNode) -> ChainPlatform:
    return start_platform(engine, anvil, (10,))


def event_of(platform: ChainPlatform) -> tuple[str, str]:
    """Slug and state."""
    with read(platform.engine) as connection:
        row = connection.execute(select(Event.slug, Event.state)).one()
        return row.slug, row.state


def test_cancelled_on_the_chain_an_event_is_sold_no_more_and_what_was_sold_stands(
    platform: ChainPlatform, caplog: pytest.LogCaptureFixture
) -> None:
    platform.sell(2)
    platform.until(lambda: platform.minted() == 2, "the tokens")
    slug, state = event_of(platform)
    assert state == "on_sale"
    assert not desk_event(platform.engine, slug)["cancelled_on_chain"]
    platform.send(ADMIN, CANCEL)
    platform.round()
    assert event_of(platform) == (slug, "paused"), "at once, not only when it is final"
    assert f"event {slug} was cancelled on the chain" in caplog.text
    assert desk_event(platform.engine, slug)["cancelled_on_chain"]
    with pytest.raises(Refused, match="event_cancelled"):
        set_sales(platform.engine, SECRET, "anna", slug, paused=False)
    with read(platform.engine) as connection:
        assert set(connection.scalars(select(Ticket.state))) == {"valid"}, "a person says what becomes of them"
    platform.agrees()


def test_a_cancellation_that_the_chain_takes_back_leaves_the_event_to_its_organiser(platform: ChainPlatform) -> None:
    slug, _state = event_of(platform)
    before = platform.anvil.call("evm_snapshot")
    platform.send(ADMIN, CANCEL)
    platform.round()
    assert event_of(platform) == (slug, "paused")
    platform.anvil.call("evm_revert", before)
    platform.anvil.mine(3)
    platform.until(lambda: not desk_event(platform.engine, slug)["cancelled_on_chain"], "the other branch")
    assert set_sales(platform.engine, SECRET, "anna", slug, paused=False)
    assert event_of(platform) == (slug, "on_sale")


def test_another_events_cancellation_pauses_nothing_of_ours(platform: ChainPlatform) -> None:
    with platform.engine.begin() as connection:
        connection.execute(update(Event).values(state="cancelled"))
    platform.send(ADMIN, CANCEL)
    platform.round()
    slug, state = event_of(platform)
    assert state == "cancelled", "what the desk decided stays"
    with read(platform.engine) as connection:
        assert is_cancelled(connection, platform.event_id)
        assert not is_cancelled(connection, type(platform.event_id)(int=1)), slug
