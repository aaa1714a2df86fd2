"""The report after an incident says where the tickets sold meanwhile are, and what the chain itself said."""

from typing import Any
from uuid import UUID

import pytest
from flask.testing import FlaskClient
from sqlalchemy import insert, select, update

from backend.chain.verify import Difference, Verified
from backend.db.clock import now_ms
from backend.db.tables.chain import Token
from backend.db.tables.orders import Ticket
from backend.ops import incident_store
from backend.ops.reports import Compare, write_reports
from backend.wiring import Services
from tests.backend.web.conftest import buyer, client, services  # noqa: F401 - fixtures
from tests.support.buyer import Buyer
from tests.support.forms import HTML

MINUTE_MS = 60_000


@pytest.fixture
def one_of_two_is_minted(services: Services, buyer: Buyer) -> None:  # noqa: F811 - the fixtures
    assert buyer.pay(buyer.held({"class": "floor", "quantity": 2})).status_code == 200
    with services.engine.begin() as connection:
        event = connection.scalars(select(Ticket.event_id)).first()
        first = update(Ticket).where(Ticket.position == 0)
        connection.execute(first.values(batch_number=1, token_id=1 << 16))
        token = {"owner": bytes(20), "epoch": 0, "status": 0, "minted_block": 1, "changed_block": 1}
        connection.execute(insert(Token).values(event_id=event, token_id=1 << 16, **token))


def report_of_an_incident(services: Services, compare: Compare) -> tuple[int, dict[str, Any]]:  # noqa: F811 - not it
    with services.engine.begin() as connection:
        now = now_ms(connection)
        texts = ("Cards fail.", "银行卡失败。")
        number, _note = incident_store.post(connection, "posted", "payments", "waits", texts, now - MINUTE_MS)
        incident_store.close(connection, number, now)
    assert write_reports(services.engine, compare) == 1
    assert write_reports(services.engine, compare) == 0
    with services.engine.connect() as connection:
        row = incident_store.find(connection, number)
        assert row is not None
        return number, row.report


@pytest.mark.usefixtures("one_of_two_is_minted")
def test_the_report_proves_tickets_sold_meanwhile_by_the_chain_and_names_those_that_wait(
    services: Services,  # noqa: F811 - the fixture
    client: FlaskClient,  # noqa: F811 - the fixture
) -> None:
    number, report = report_of_an_incident(services, lambda: Verified(1, ()))
    numbers = ("tickets_meanwhile", "minted_meanwhile", "still_waiting", "compared_with_chain")
    assert [report[name] for name in numbers] == [2, 1, 1, 1]
    assert report["problems"] == []
    page = client.get(f"/status/incidents/{number}", headers=HTML).text
    assert "2 tickets were sold meanwhile; with one token each on the chain: 1." in page
    assert "1 ticket still waited to be minted when this was written." in page
    assert "1 token was compared with the chain itself." in page
    assert "Nothing was lost: 2 tickets checked." in page
    chinese = client.get(f"/status/incidents/{number}", headers={**HTML, "Accept-Language": "zh"}).text
    assert "meanwhile" not in chinese


@pytest.mark.usefixtures("one_of_two_is_minted")
def test_a_report_never_claims_what_the_chain_did_not_say(
    services: Services,  # noqa: F811 - the fixture
    client: FlaskClient,  # noqa: F811 - the fixture
) -> None:
    number, report = report_of_an_incident(services, lambda: None)
    assert report["compared_with_chain"] is None
    assert "could not be asked" in client.get(f"/status/incidents/{number}", headers=HTML).text

    lied = Verified(1, (Difference(UUID(int=1), 1 << 16, None, None),))
    number, report = report_of_an_incident(services, lambda: lied)
    assert report["problems"] == ["index and chain differ: 65536"]
    page = client.get(f"/status/incidents/{number}", headers=HTML).text
    assert "an operator must look at" in page
    assert "Nothing was lost" not in page
