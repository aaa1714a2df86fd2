"""Codes, limits and more time: the last voucher is one buyer's, a presale is the invited's, a hold ends some day."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError

from backend.app import create_app
from backend.db.clock import now_ms
from backend.db.tables.events import Event
from backend.db.tables.orders import Code, LedgerEntry, Order, Ticket
from backend.domain.selling.requests import LineWanted
from backend.errors import Refused
from backend.sales.codes import Offer, make_codes
from backend.sales.expiry import expire_holds
from backend.sales.giving import give
from backend.wiring import Services
from tests.support.buyer import Buyer, opens, problem
from tests.support.checker import check_sales

PRICE = 4950
OWNER = "0x" + "ab" * 20


def set_event(services: Services, **values: Any) -> None:
    with services.engine.begin() as connection:
        connection.execute(update(Event).values(values))


def code(services: Services, **offer: Any) -> str:
    return make_codes(services.engine, "gig", Offer("test", **offer))[0]


def uses(services: Services) -> int:
    with services.engine.connect() as connection:
        return int(connection.scalar(select(Code.uses)) or 0)


def end_holds(services: Services) -> None:
    with services.engine.begin() as connection:
        connection.execute(update(Order).values(hold_expires_ms=1))
    expire_holds(services.engine)


def extend(client: FlaskClient, order: dict[str, Any], until: str) -> Any:
    return client.post(f"/api/v1/orders/{order['order_id']}/extension", json={"until": until}, headers=opens(order))


def test_a_voucher_takes_its_share_off_and_is_typed_as_people_type(services: Services, buyer: Buyer) -> None:
    typed = code(services, discount_bps=2_500).lower().replace("-", " ")
    order = buyer.held({"class": "floor", "quantity": 2}, code=typed)
    assert order["total_minor"] == 2 * 3712, "rounded for the buyer, ticket by ticket"
    assert buyer.pay(order).status_code == 200
    assert check_sales(services.engine).problems == []


def test_64_threads_for_the_last_voucher_and_one_gets_it(services: Services) -> None:
    text = code(services, discount_bps=5_000)
    app = create_app(services)

    def one(_number: int) -> int:
        answer = Buyer(app.test_client()).order(code=text)
        if answer.status_code != 201:
            assert problem(answer) == (409, "code_used_up")
        return answer.status_code

    with ThreadPoolExecutor(64) as pool:
        assert sorted(pool.map(one, range(64))).count(201) == 1
    assert uses(services) == 1


def test_the_database_itself_refuses_one_use_too_many(services: Services) -> None:
    code(services)
    with pytest.raises(IntegrityError), services.engine.begin() as connection:
        connection.execute(update(Code).values(uses=2))


@pytest.mark.parametrize("ended", ["expired", "given back"])
def test_an_unpaid_order_gives_its_voucher_back(services: Services, buyer: Buyer, ended: str) -> None:
    text = code(services, discount_bps=5_000)
    order = buyer.held(code=text)
    assert problem(buyer.order(code=text)) == (409, "code_used_up")
    if ended == "expired":
        end_holds(services)
    else:
        buyer.client.delete(f"/api/v1/orders/{order['order_id']}", headers=opens(order))
    assert uses(services) == 0
    assert buyer.held(code=text)["total_minor"] == PRICE // 2


def test_late_money_never_uses_a_voucher_that_another_has(services: Services, buyer: Buyer) -> None:
    text = code(services, discount_bps=5_000)
    late = buyer.held(code=text)
    assert buyer.pay(late, "timeout_then_approve", key="the-very-same-key").status_code == 202
    end_holds(services)
    buyer.held(code=text)
    assert problem(buyer.pay(late, "timeout_then_approve", key="the-very-same-key")) == (409, "payment_too_late")
    assert uses(services) == 1


def test_a_free_order_is_paid_without_a_bank_and_a_dear_one_is_not(services: Services, buyer: Buyer) -> None:
    free = buyer.held(code=code(services, discount_bps=10_000))
    assert free["total_minor"] == 0
    assert buyer.pay(free, "free", method="free").status_code == 200
    assert problem(buyer.pay(buyer.held(), "free", method="free")) == (422, "payment_needed")
    with services.engine.connect() as connection:
        assert connection.execute(select(LedgerEntry)).all() == []
    assert check_sales(services.engine).problems == []


def test_before_the_sale_only_a_presale_code_buys(services: Services, buyer: Buyer) -> None:
    with services.engine.connect() as connection:
        now = now_ms(connection)
    set_event(services, sale_starts_ms=now + 3_600_000)
    assert problem(buyer.order()) == (409, "presale_only")
    assert problem(buyer.order(code=code(services, presale=False))) == (409, "presale_only")
    assert buyer.held(code=code(services, presale=True))["state"] == "held"
    set_event(services, sale_starts_ms=1)
    assert buyer.held()["state"] == "held"


def test_a_code_is_good_for_what_it_was_made_for(services: Services, buyer: Buyer) -> None:
    assert problem(buyer.order(code="GUESS-ED")) == (422, "unknown_code")
    assert problem(buyer.order(code=code(services, until_ms=1))) == (409, "code_expired")
    assert problem(buyer.order(code=code(services, class_code="balcony"))) == (409, "code_for_other_class")
    many = code(services, max_uses=None)
    assert [buyer.order(code=many).status_code for _ in range(3)] == [201] * 3


def test_one_buyer_has_no_more_than_the_limit_in_any_number_of_orders(services: Services, buyer: Buyer) -> None:
    set_event(services, max_per_buyer=3)
    first = buyer.held({"class": "floor", "quantity": 2}, owner=OWNER)
    assert buyer.pay(first).status_code == 200
    assert problem(buyer.order({"class": "floor", "quantity": 2}, owner=OWNER)) == (409, "over_buyers_limit")
    assert buyer.held(owner=OWNER)["state"] == "held"
    assert problem(buyer.order(owner=OWNER)) == (409, "over_buyers_limit")
    assert buyer.held(owner="0x" + "cd" * 20)["state"] == "held"


def test_a_hold_is_extended_once_for_each_wish_and_not_for_ever(
    services: Services, buyer: Buyer, client: FlaskClient
) -> None:
    order = buyer.held()
    began = seen = order["hold_expires_at"]
    for left in reversed(range(10)):  # WCAG 2.2.1: ten times at least
        first, again = extend(client, order, seen).get_json(), extend(client, order, seen).get_json()
        assert first == again
        assert first["extensions_left"] == left
        assert first["hold_expires_at"] > seen
        seen = first["hold_expires_at"]
    assert datetime.fromisoformat(seen) - datetime.fromisoformat(began) == timedelta(minutes=50), "within the hour"
    assert problem(extend(client, order, seen)) == (409, "extended_enough")
    assert problem(extend(client, order, "2030-99-99T00:00:00.000Z")) == (422, "invalid_request")


def test_what_has_ended_is_not_called_back_by_an_extension(
    services: Services, buyer: Buyer, client: FlaskClient
) -> None:
    order = buyer.held()
    with services.engine.begin() as connection:
        connection.execute(update(Order).values(hold_expires_ms=1))
    assert problem(extend(client, order, order["hold_expires_at"])) == (409, "hold_expired")
    expire_holds(services.engine)
    assert problem(extend(client, order, order["hold_expires_at"])) == (409, "hold_expired")
    paid = buyer.bought()
    assert problem(extend(client, paid, paid["hold_expires_at"])) == (409, "already_paid")


def test_gifts_cost_nothing_count_as_sold_and_come_once(services: Services) -> None:
    event_id = services.tills.event_id("gig")
    assert event_id
    lines = (LineWanted("floor", 9),)
    first, again = (give(services, event_id, lines, "the-same-key") for _ in range(2))
    assert first == again
    with services.engine.connect() as connection:
        tickets = connection.scalars(select(Ticket.order_id)).all()
    assert tickets == [UUID(str(first.order_id))] * 9
    with pytest.raises(Refused, match="too_few_left"):
        give(services, event_id, lines, "another-key")
    assert check_sales(services.engine).problems == []
