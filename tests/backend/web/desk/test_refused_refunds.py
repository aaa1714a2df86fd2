"""A refund that the provider refuses for good: seen at the desk, settled there, and never lost."""

import pytest
from flask import Flask
from sqlalchemy import select, update

from backend.db.tables.events import Event
from backend.db.tables.orders import Payment as PaymentRow
from backend.db.tables.payments import FailedRefund
from backend.sales.ledger import balances, check_ledger
from backend.sales.payments.outbox import run_due
from backend.wiring import Services
from tests.support.buyer import Buyer
from tests.support.checker import check_sales
from tests.support.desk import at_desk, post
from tests.support.forms import HTML
from tests.support.shop import put_on_sale


@pytest.fixture
def services(services: Services) -> Services:
    put_on_sale(services.engine)
    with services.engine.begin() as connection:
        connection.execute(update(Event).values(refund_until_ms=Event.doors_ms, refund_keep_bps=0))
    return services


def refused(services: Services, app: Flask) -> dict[str, object]:
    buyer = Buyer(app.test_client())
    order = buyer.bought(token="no_refunds")
    assert buyer.give_back(order).status_code == 200
    assert run_due(services.engine, services.payments) == 0
    return order


def state_of(services: Services) -> str:
    with services.engine.connect() as connection:
        return str(connection.scalar(select(FailedRefund.state)))


def adds_up(services: Services) -> None:
    assert check_ledger(services.engine, {}) == []
    assert check_sales(services.engine).problems == []


def test_a_refused_refund_is_told_of_and_settled_with_a_way_once(services: Services, app: Flask) -> None:
    order = refused(services, app)
    adds_up(services)
    status = app.test_client().get("/status").get_json()["components"]
    assert next(one for one in status if one["name"] == "refunds")["state"] == "waits"
    finance = at_desk(app, services, "finance")
    assert "did not reach the buyer" in finance.get(f"/desk/orders/{order['order_id']}", headers=HTML).text
    listed = finance.get("/desk/refunds", headers=HTML).text
    assert "account closed" in listed
    with services.engine.connect() as connection:
        refund_id = connection.scalar(select(FailedRefund.refund_id))
    wrong = post(finance, f"/desk/refunds/{refund_id}/settle", "/desk/refunds", how="nothing")
    assert (wrong.status_code, state_of(services)) == (303, "failed")
    for _twice in range(2):
        post(finance, f"/desk/refunds/{refund_id}/settle", "/desk/account", how="bank_transfer")
    assert state_of(services) == "settled"
    with services.engine.connect() as connection:
        assert balances(connection)["by_hand", "EUR"] == -4950
    adds_up(services)
    assert "by bank transfer" in finance.get(f"/desk/orders/{order['order_id']}", headers=HTML).text
    assert "paid a refused refund another way" in at_desk(app, services, "owner").get("/desk/audit", headers=HTML).text


def test_a_refused_refund_can_be_sent_again_and_be_refused_again(services: Services, app: Flask) -> None:
    refused(services, app)
    finance = at_desk(app, services, "finance")
    with services.engine.connect() as connection:
        refund_id = connection.scalar(select(FailedRefund.refund_id))
    post(finance, f"/desk/refunds/{refund_id}/again", "/desk/refunds")
    assert state_of(services) == "again"
    adds_up(services)
    assert run_due(services.engine, services.payments) == 0
    assert state_of(services) == "failed"
    post(finance, f"/desk/refunds/{refund_id}/again", "/desk/refunds")
    assert services.bank
    services.bank._book.execute("UPDATE charges SET token = 'approve'")
    assert run_due(services.engine, services.payments) == 1
    assert state_of(services) == "done"
    assert services.bank.balance() == {}
    assert check_ledger(services.engine, {"sandbox": services.bank}) == []


def test_only_those_who_may_refund_settle(services: Services, app: Flask) -> None:
    refused(services, app)
    for role in ("box_office", "gate_supervisor"):
        assert at_desk(app, services, role).get("/desk/refunds", headers=HTML).status_code == 403
    assert app.test_client().get("/desk/refunds", headers=HTML).status_code in (302, 303)


def test_stray_money_that_cannot_go_back_stays_owed(services: Services, app: Flask) -> None:
    """Its payment bought nothing, so that there is no refund of tickets: the payment itself is what waits."""
    buyer = Buyer(app.test_client())
    order = buyer.held()
    assert buyer.pay(order, "short").status_code == 409
    assert services.bank
    services.bank._book.execute("UPDATE charges SET token = 'no_refunds'")
    assert run_due(services.engine, services.payments) == 0
    adds_up(services)
    finance = at_desk(app, services, "finance")
    with services.engine.connect() as connection:
        refund_id = connection.scalar(select(FailedRefund.refund_id))
    post(finance, f"/desk/refunds/{refund_id}/settle", "/desk/refunds", how="at_provider")
    with services.engine.connect() as connection:
        assert connection.scalar(select(PaymentRow.state)) == "refunded"
    adds_up(services)
