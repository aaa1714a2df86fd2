"""After a restore: what banks took and gave back since the backup is asked for at Stripe before sales open.

Nobody tells us again what the lost database was told. The disputes are localstripe's, over HTTP and the SDK.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from nacl.public import PrivateKey
from sqlalchemy import insert, select, update

from backend.app import create_app
from backend.cli.reconcile import _lines
from backend.db.engine import read
from backend.db.tables.chain import Token
from backend.db.tables.events import Event
from backend.db.tables.orders import LedgerEntry, Order, Payment, Ticket
from backend.errors import Refused
from backend.ops.backup import Made, make_backup
from backend.ops.reconcile import Reconciled, reconcile_all
from backend.ops.restore import restore
from backend.sales.charge_backs import book_dispute, undecided_disputes
from backend.sales.installation import ensure_platform
from backend.sales.payments.interface import Dispute
from backend.settings import settings_from
from backend.wiring import Services, wire
from credential.tickets import Status
from tests.support.buyer import Buyer
from tests.support.localstripe import KEY as STRIPE_KEY
from tests.support.localstripe import WEBHOOK_SECRET, LocalStripe, event
from tests.support.patience import patient
from tests.support.postgres import PostgresServer
from tests.support.stripe_shop import PRICE, adds_up, ask_at_once, bought, payment_of, tell, with_stripe

BACKUP_KEY = PrivateKey.from_seed(bytes(range(32)))
TWO = {"class": "floor", "quantity": 2}
WHOLE, PART = 2 * PRICE, 1500
DAY_SECONDS = 86_400


@dataclass
class Site:
    """A shop before and after its loss, and the Stripe that goes on beside it."""

    services: Services
    bank: LocalStripe
    folder: Path
    request: pytest.FixtureRequest

    def buyer(self) -> Buyer:
        return Buyer(create_app(self.services).test_client())

    def sell(self) -> dict[str, Any]:
        return bought(self.buyer(), self.services, self.bank, TWO)

    def backup(self) -> Made:
        return make_backup(self.services.settings, self.folder / "backups", BACKUP_KEY.public_key, time.time())

    def disputed(self, order: dict[str, Any], *moves: int, days: int = 0) -> str:
        """The bank takes, and gives back; its name. `days`: how long ago it was opened."""
        payment = str(payment_of(self.services, order).id)
        return self.bank.dispute(
            payment, -moves[0] if moves else WHOLE, *moves, created=time.time() - days * DAY_SECONDS
        )

    def told(self, order: dict[str, Any], dispute: Dispute) -> str:
        """As by the webhook."""
        event_id = self.services.tills.event_id("gig")
        assert event_id
        return book_dispute(self.services.engine, event_id, payment_of(self.services, order).id, dispute)

    def lose_and_restore(self, made: Made) -> None:
        self.services.close()
        if self.services.engine.dialect.name == "sqlite":
            empty = f"sqlite:///{self.folder}/restored.sqlite"
        else:
            server: PostgresServer = self.request.getfixturevalue("postgres")
            empty = server.create_database("template0")
        after = settings_from(
            {
                "TRUESTUB_DATA_DIR": str(self.folder / "other"),
                "TRUESTUB_DATABASE_URL": empty,
                "TRUESTUB_STRIPE_KEY": STRIPE_KEY,
                "TRUESTUB_STRIPE_WEBHOOK_SECRET": WEBHOOK_SECRET,
                "TRUESTUB_STRIPE_API_URL": self.bank.url,
                "TRUESTUB_STRIPE_PAGES": self.bank.url,
            }
        )
        restore(after, made.file, BACKUP_KEY)
        self.services = patient(wire(after))

    def reconcile(self, **more: Any) -> Reconciled:
        return reconcile_all(self.services, [], "one", **more)

    def one(self, column: Any) -> Any:
        with read(self.services.engine) as connection:
            return connection.execute(select(column)).scalar_one()

    def states(self) -> list[str]:
        with read(self.services.engine) as connection:
            return list(connection.scalars(select(Ticket.state).order_by(Ticket.position)))

    def ledger(self) -> list[tuple[str, int]]:
        """What was booked after the sale."""
        with read(self.services.engine) as connection:
            query = select(LedgerEntry.key, LedgerEntry.amount_minor).where(LedgerEntry.kind != "sale")
            return sorted((row.key, row.amount_minor) for row in connection.execute(query))


@pytest.fixture
def site(
    database_url: str, tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Site]:
    ask_at_once(monkeypatch)
    with LocalStripe() as bank:  # of its own: everything that it took is this shop's
        services = with_stripe(database_url, tmp_path / "data", bank)
        with services.engine.begin() as connection:
            ensure_platform(connection)
        site = Site(services, bank, tmp_path, request)
        yield site
        site.services.close()


def test_what_a_bank_took_after_the_backup_is_booked_once_before_sales_open(site: Site) -> None:
    order = site.sell()
    made = site.backup()
    name = site.disputed(order, -WHOLE)
    taken = Dispute(name, WHOLE, "EUR", reinstated=False)
    assert site.told(order, taken) == "stopped"
    before = site.ledger()
    site.lose_and_restore(made)
    assert site.ledger() == []
    done = site.reconcile()
    assert (done.disputes.stopped, done.problems, done.opened) == ((UUID(order["order_id"]),), (), 1)
    assert site.ledger() == before == [(f"charge_back:{name}", WHOLE)]
    assert (site.states(), site.one(Payment.state), site.one(Order.state)) == (
        ["revoked"] * 2,
        "charged_back",
        "refunded",
    )
    assert any("what was not used is void" in line for line in _lines(done))
    client = create_app(site.services).test_client()
    intent = site.bank.list("payment_intents")[0]["id"]
    late = {"id": name, "payment_intent": intent, "amount": WHOLE, "currency": "eur"}
    assert tell(client, event("charge.dispute.funds_withdrawn", late)) == 204, "and the webhook, which comes late"
    again = site.reconcile(made_at=time.time() - 60)
    assert (again.disputes.stopped, again.disputes.undecided, again.opened) == ((), (), 1)
    assert site.ledger() == before
    adds_up(site.services)


def test_tickets_that_the_chain_knows_to_be_void_are_booked_as_void_and_not_as_a_loss(site: Site) -> None:
    order = site.sell()
    made = site.backup()
    name = site.disputed(order, -WHOLE)
    site.lose_and_restore(made)
    with site.services.engine.begin() as connection:
        for number, ticket in enumerate(connection.execute(select(Ticket).order_by(Ticket.position)).all(), 1):
            connection.execute(
                update(Ticket).where(Ticket.id == ticket.id).values(batch_number=1, token_id=1 << 16 | number)
            )
            token = {"event_id": ticket.event_id, "token_id": 1 << 16 | number, "owner": ticket.owner, "epoch": 0}
            connection.execute(insert(Token).values(**token, status=Status.REVOKED, minted_block=1, changed_block=1))
    done = site.reconcile()
    assert (done.recovered.revoked, len(done.disputes.stopped), done.problems, done.opened) == (2, 1, (), 1)
    assert site.ledger() == [(f"charge_back:{name}", WHOLE)]
    assert (site.one(Payment.state), site.one(Order.state)) == ("charged_back", "refunded")
    adds_up(site.services)


def test_what_a_bank_took_in_part_waits_for_the_desk_and_an_inquiry_is_nothing(site: Site) -> None:
    order = site.sell()
    made = site.backup()
    site.disputed(order)  # an inquiry
    site.disputed(order, -PART, days=100)  # opened long before the backup; its money was taken after
    site.lose_and_restore(made)
    done = site.reconcile()
    assert (done.disputes.undecided, done.disputes.stopped, done.opened) == ((UUID(order["order_id"]),), (), 1)
    assert site.states() == ["valid", "valid"]
    assert [one.amount_minor for one in undecided_disputes(site.services.engine)] == [PART]
    assert any("decide about their tickets at the desk" in line for line in _lines(done))
    adds_up(site.services)


def test_what_a_bank_gave_back_after_the_backup_is_booked_to_the_cent_and_stops_nothing(site: Site) -> None:
    order = site.sell()
    known = Dispute("dp_known", PART, "EUR", reinstated=False)
    assert site.told(order, known) == "undecided"
    made = site.backup()
    name = site.disputed(order, -WHOLE, 2000)  # less than it took
    site.lose_and_restore(made)
    done = site.reconcile()
    assert (done.disputes.reinstated, done.problems, done.opened) == ((UUID(order["order_id"]),), (), 1)
    booked = [(f"loss:{name}", WHOLE), (f"reinstated:loss:{name}", 2000)]
    assert site.ledger() == sorted([("loss:dp_known", PART), *booked])
    assert site.states() == ["valid", "valid"]
    adds_up(site.services)


def test_while_stripe_is_silent_about_disputes_sales_stay_closed_and_nothing_is_half_done(site: Site) -> None:
    order = site.sell()
    made = site.backup()
    site.disputed(order, -WHOLE)
    site.lose_and_restore(made)
    for kind in ("500", "refuse"):
        site.bank.fail_next("disputes", kind, "GET", code="api_key_expired", status=401)
        with pytest.raises(Refused, match="provider_silent") as refused:
            site.reconcile()
        assert "run truestub reconcile" in refused.value.refusal.sentence
        assert (site.one(Event.state), site.states(), site.ledger()) == ("paused", ["valid", "valid"], [])
    assert site.reconcile().opened == 1


def test_a_disputed_payment_of_an_order_that_was_lost_is_named_and_not_sent_back_a_second_time(site: Site) -> None:
    made = site.backup()
    disputed, refused = site.sell(), site.sell()
    lost = payment_of(site.services, disputed).id
    other = payment_of(site.services, refused).id
    site.disputed(disputed, -WHOLE)
    site.lose_and_restore(made)
    site.bank.fail_next("refunds", "refuse", code="charge_disputed")
    done = site.reconcile(refund_unknown=True)
    assert (done.disputes.unknown, done.refused, done.opened) == ((lost,), (other,), None)
    assert any("by hand there" in line for line in _lines(done))
    done = site.reconcile(refund_unknown=True)
    assert (done.disputes.unknown, done.refunded, done.opened) == ((lost,), 1, 1)
    assert [one["amount"] for one in site.bank.list("refunds")] == [WHOLE], "the bank has the other one's already"
    assert any(str(lost) in line for line in _lines(done))
    adds_up(site.services)
