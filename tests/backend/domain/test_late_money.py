"""Money that comes when the hold has ended: a ticket if, and only if, there is room and its seat is still free."""

from hashlib import sha256
from uuid import UUID

import pytest

from backend.domain.selling.outcomes import Held, MoneyBack, Outcome, Paid, Started
from backend.domain.selling.requests import Expire, Hold, Key, LineWanted, Settle, StartPayment
from tests.backend.domain.store import HOLD_MS, LABELS, Store, an_event

ORDER, PAYMENT = UUID(int=1000), UUID(int=2000)
STANDING = 4


def key(name: str) -> Key:
    return Key("any", name, sha256(name.encode()).digest())


def late(wanted: LineWanted, taken: LineWanted | None, standing: int = STANDING) -> tuple[Store, Outcome]:
    """`wanted` is held, its hold ends, others hold `taken`, then the money comes."""
    store = Store(an_event(standing))
    assert isinstance(store.ask([Hold(ORDER, bytes(32), (wanted,), None, key("hold"))], 1)[0], Held)
    assert isinstance(store.ask([StartPayment(ORDER, PAYMENT, "sandbox", key("pay"))], 2)[0], Started)
    store.ask([Expire(ORDER)], HOLD_MS + 1)
    if taken is not None:
        other = Hold(UUID(int=9000), bytes(32), (taken,), None, key("other"))
        assert isinstance(store.ask([other], HOLD_MS + 2)[0], Held)
    return store, store.ask([Settle(ORDER, PAYMENT, "succeeded", "ref")], HOLD_MS + 3)[0]


@pytest.mark.parametrize("quantity", [1, 2, 3])
@pytest.mark.parametrize("left", [0, 1, 2, 3])
def test_late_money_buys_exactly_when_there_is_room_for_all_of_it(quantity: int, left: int) -> None:
    store, outcome = late(
        LineWanted("standing", quantity), LineWanted("standing", STANDING - left) if left < STANDING else None
    )
    if left >= quantity:
        assert outcome == Paid(ORDER, PAYMENT, late=True)
        assert len(store.tickets) == quantity
    else:
        assert outcome == MoneyBack(ORDER, PAYMENT, "no_room")
        assert (store.tickets, store.refunds) == ([], [PAYMENT])


def test_late_money_for_the_last_room_of_two_lines_counts_both() -> None:
    """Two lines of a class need room together, not each for itself."""
    store = Store(an_event(2))
    lines = (LineWanted("standing", 1), LineWanted("standing", 1))
    store.ask([Hold(ORDER, bytes(32), lines, None, key("hold"))], 1)
    store.ask([StartPayment(ORDER, PAYMENT, "sandbox", key("pay"))], 2)
    store.ask([Expire(ORDER)], HOLD_MS + 1)
    store.ask([Hold(UUID(int=9000), bytes(32), (LineWanted("standing", 1),), None, key("other"))], HOLD_MS + 2)
    assert store.ask([Settle(ORDER, PAYMENT, "succeeded")], HOLD_MS + 3) == [MoneyBack(ORDER, PAYMENT, "no_room")]


def test_late_money_never_buys_a_seat_that_somebody_else_took() -> None:
    """The class has room, the very seat has not."""
    store, outcome = late(LineWanted("seated", 1, (LABELS[0],)), LineWanted("seated", 1, (LABELS[0],)))
    assert outcome == MoneyBack(ORDER, PAYMENT, "no_room")
    assert store.claims == {1: UUID(int=9000)}


def test_late_money_never_buys_half_a_pair_of_seats() -> None:
    store, outcome = late(LineWanted("seated", 2, (LABELS[0], LABELS[1])), LineWanted("seated", 1, (LABELS[1],)))
    assert outcome == MoneyBack(ORDER, PAYMENT, "no_room")
    assert store.claims == {2: UUID(int=9000)}


def test_late_money_gets_its_own_seat_back_when_it_is_free() -> None:
    store, outcome = late(LineWanted("seated", 1, (LABELS[0],)), LineWanted("seated", 1, (LABELS[1],)))
    assert outcome == Paid(ORDER, PAYMENT, late=True)
    assert store.claims == {1: ORDER, 2: UUID(int=9000)}
