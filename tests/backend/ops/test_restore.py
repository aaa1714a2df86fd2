"""An older backup put back never sells again what was sold since: it is compared with bank and chain first."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data
from nacl.public import PrivateKey
from sqlalchemy import Connection, Row, func, insert, inspect, select, text, update
from sqlalchemy.engine import make_url

from backend.app import create_app
from backend.chain import leases
from backend.chain.batcher import close_batches
from backend.chain.calldata import selector
from backend.chain.jobs import enqueue_create_event
from backend.chain.keys import DEVELOPMENT_KEYS, RelayerKey, ensure_chain_keys
from backend.chain.worker import ChainWorker
from backend.cli.web import require_current_schema
from backend.credentials.limits import CREDENTIAL_WINDOW_SECONDS, MAX_CREDENTIALS_PER_TICKET
from backend.credentials.numbers import step_of, step_over
from backend.credentials.ownership import Owner, effective_owner
from backend.db.clock import now_ms
from backend.db.engine import make_engine, read
from backend.db.tables.chain import ChainContract, Token
from backend.db.tables.credentials import Credential
from backend.db.tables.events import Event, Stock
from backend.db.tables.orders import LedgerEntry, Order, OrderLine, Payment, Refund, Ticket
from backend.db.tables.restores import Restore, require_reconciled
from backend.desk.events import set_sales
from backend.errors import Refused
from backend.ops import restore as restore_module
from backend.ops.backup import Made, make_backup, restore_database
from backend.ops.check import check_rows
from backend.ops.drill import Drilled, drill, newest_backup
from backend.ops.postgres_tools import SCRATCH_DATABASE
from backend.ops.reconcile import reconcile_all
from backend.ops.restore import restore
from backend.privacy import erased
from backend.privacy.contacts import Contact, keep_contact
from backend.privacy.rights import erase_person, export_person
from backend.sales.charge_backs import take_charge_back
from backend.sales.installation import ensure_platform
from backend.sales.moving import Wish as Gift
from backend.sales.moving import move
from backend.sales.payments.outbox import run_due
from backend.sales.refunds import Wish, refund
from backend.settings import Settings, settings_from
from backend.wiring import BANK_FILE, Services, wire
from credential.moving import move_typed_data
from tests.backend.chain.conftest import anvil  # noqa: F401 - a fixture
from tests.support.anvil import ACCOUNTS
from tests.support.buyer import Buyer
from tests.support.chain_node import ChainNode
from tests.support.checker import check_chain
from tests.support.forked_worker import killed_at
from tests.support.postgres import PostgresServer
from tests.support.shop import put_on_sale

KEY = PrivateKey.from_seed(bytes(range(32)))
OWNERS = ["0x" + bytes([number]).hex() * 20 for number in range(1, 4)]
DEADLINE_SECONDS = 90
CAPACITY = 9


@dataclass
class Site:
    """An installation before and after its loss. The bank's book is the bank's: it is never lost with us."""

    services: Services
    folder: Path
    request: pytest.FixtureRequest

    def backup(self, later_seconds: int = 0) -> Made:
        """A backup; they are named by the second."""
        now = time.time() + later_seconds
        return make_backup(self.services.settings, self.folder / "backups", KEY.public_key, now)

    def lose_and_restore(self, made: Made, **settings: str) -> Services:
        """Everything but the bank and the chain is gone; the backup is put back on another host."""
        book = (self.services.settings.data_dir / BANK_FILE).read_bytes()
        self.services.close()
        after = settings_from(
            {
                "TRUESTUB_DATA_DIR": str(self.folder / "other"),
                "TRUESTUB_DATABASE_URL": self.empty_database(),
                "TRUESTUB_FINALITY_BLOCKS": "2",
                **settings,
            }
        )
        restore(after, made.file, KEY)
        (after.data_dir / BANK_FILE).write_bytes(book)
        self.services = wire(after)
        return self.services

    def empty_database(self) -> str:
        if make_url(self.services.settings.database_url).get_backend_name() == "sqlite":
            return f"sqlite:///{self.folder}/restored.sqlite"
        server: PostgresServer = self.request.getfixturevalue("postgres")
        return server.create_database("template0")

    def buyer(self) -> Buyer:
        return Buyer(create_app(self.services).test_client())

    def sell(self, quantity: int = 1, **more: Any) -> None:
        buyer = self.buyer()
        assert buyer.pay(buyer.held({"class": "floor", "quantity": quantity}, **more)).status_code == 200


@pytest.fixture
def site(database_url: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Site]:
    settings = settings_from({"TRUESTUB_DATA_DIR": str(tmp_path / "data"), "TRUESTUB_DATABASE_URL": database_url})
    services = wire(settings)
    with services.engine.begin() as connection:
        ensure_platform(connection)
    put_on_sale(services.engine, floor=CAPACITY)
    # WAL pages must be in the file that is copied as "the bank's".
    assert services.bank is not None
    services.bank._book.execute("PRAGMA journal_mode=DELETE")
    site = Site(services, tmp_path, request)
    yield site
    site.services.close()


def state_of(services: Services) -> str:
    with read(services.engine) as connection:
        return str(connection.scalar(select(Event.state)))


def test_a_restored_shop_sells_nothing_and_no_worker_starts_before_it_is_reconciled(site: Site) -> None:
    site.sell(2)
    restored = site.lose_and_restore(site.backup())
    assert state_of(restored) == "paused"
    refused = site.buyer().order()
    assert (refused.status_code, refused.get_json()["code"]) == (409, "not_on_sale")
    with read(restored.engine) as connection, pytest.raises(Refused, match="not_reconciled"):
        require_reconciled(connection)
    done = reconcile_all(restored, [], "one")
    assert (done.problems, done.unknown, done.opened) == ((), (), 1)
    with read(restored.engine) as connection:
        require_reconciled(connection)
    site.sell()


def test_nobody_sells_or_takes_money_before_a_restored_shop_is_reconciled(site: Site) -> None:
    """A place that was held at the backup may have been sold to somebody else since."""
    order = site.buyer().held({"class": "floor", "quantity": 1})
    restored = site.lose_and_restore(site.backup())
    assert restored.bank is not None
    refused = site.buyer().pay(order)
    assert (refused.status_code, refused.get_json()["code"]) == (409, "not_on_sale")
    assert restored.bank.balance() == {}
    with pytest.raises(Refused, match="not_reconciled"):
        set_sales(restored.engine, restored.secret, "ada", "gig", paused=False)
    with restored.engine.begin() as connection:
        connection.execute(update(Event).values(state="on_sale"))  # by hand, or a new event
    assert site.buyer().order().get_json()["code"] == "not_on_sale"
    assert reconcile_all(restored, [], "one").opened is not None
    assert site.buyer().pay(order).status_code == 200
    site.sell()


def test_a_restore_that_dies_right_after_the_data_came_back_leaves_sales_closed(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = site.backup()
    put_back = restore_database

    def put_back_and_die(*arguments: Any, **more: Any) -> None:
        put_back(*arguments, **more)
        raise KeyboardInterrupt

    monkeypatch.setattr(restore_module, "restore_database", put_back_and_die)
    place = site.empty_database()
    there = {"TRUESTUB_DATA_DIR": str(site.folder / "other"), "TRUESTUB_DATABASE_URL": place}
    with pytest.raises(KeyboardInterrupt):
        restore(settings_from(there), made.file, KEY)
    engine = make_engine(place)
    with engine.connect() as connection:
        assert connection.scalars(select(Event.state)).all() == ["paused"]
        with pytest.raises(Refused, match="not_reconciled"):
            require_reconciled(connection)
    engine.dispose()


def test_a_restore_killed_after_the_keys_goes_on_with_the_same_backup(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = site.backup()
    keys = {path.name: path.read_bytes() for path in site.services.settings.keys_dir.iterdir()}
    place = site.empty_database()
    there = settings_from({"TRUESTUB_DATA_DIR": str(site.folder / "other"), "TRUESTUB_DATABASE_URL": place})

    def die(*_arguments: Any, **_more: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(restore_module, "restore_database", die)
        with pytest.raises(KeyboardInterrupt):
            restore(there, made.file, KEY)
    restore(there, made.file, KEY)
    assert {path.name: path.read_bytes() for path in there.keys_dir.iterdir()} == keys
    with pytest.raises(Refused, match="database_exists"):
        restore(there, made.file, KEY)


def test_a_backup_of_another_kind_of_database_changes_nothing(site: Site, request: pytest.FixtureRequest) -> None:
    made = site.backup()
    other = f"sqlite:///{site.folder}/x.sqlite"
    if site.services.engine.dialect.name == "sqlite":
        server: PostgresServer = request.getfixturevalue("postgres")
        other = server.create_database("template0")
    there = settings_from({"TRUESTUB_DATA_DIR": str(site.folder / "other"), "TRUESTUB_DATABASE_URL": other})
    with pytest.raises(Refused, match="other_engine"):
        restore(there, made.file, KEY)
    assert not there.keys_dir.exists()


def test_to_look_at_a_place_before_a_restore_makes_no_database_there(tmp_path: Path) -> None:
    settings = settings_from({"TRUESTUB_DATA_DIR": str(tmp_path / "other")})
    with pytest.raises(Refused, match="no_database"):
        require_current_schema(settings)
    assert not (tmp_path / "other").exists()


def test_a_restore_that_fails_at_the_mark_leaves_no_database(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    made = site.backup()
    monkeypatch.setattr(restore_module, "_MARK", "SELECT %d / 0;")
    monkeypatch.setattr(restore_module, "mark", lambda *_arguments: 1 // 0)
    place = site.empty_database()
    there = {"TRUESTUB_DATA_DIR": str(site.folder / "other"), "TRUESTUB_DATABASE_URL": place}
    with pytest.raises((Refused, ZeroDivisionError)):
        restore(settings_from(there), made.file, KEY)
    engine = make_engine(place)
    assert inspect(engine).get_table_names() == []
    engine.dispose()


def test_money_taken_after_the_backup_keeps_sales_closed_until_it_is_given_back(site: Site) -> None:
    site.sell(2)
    made = site.backup()
    site.sell(3)
    restored = site.lose_and_restore(made)
    done = reconcile_all(restored, [], "one")
    assert (len(done.unknown), done.opened) == (1, None)
    assert state_of(restored) == "paused"
    done = reconcile_all(restored, [], "one", refund_unknown=True)
    assert (done.refunded, done.opened) == (1, 1)
    assert restored.bank is not None
    assert restored.bank.balance() == {"EUR": 2 * 4950}
    with pytest.raises(Refused, match="not_restored"):
        reconcile_all(restored, [], "one")


def test_a_person_erased_after_the_backup_is_forgotten_again_on_another_host(site: Site) -> None:
    """Nobody who was forgotten comes back with an old backup; whoever was not erased stays."""
    engine, secret, settings = site.services.engine, site.services.secret, site.services.settings
    for name in ("ann", "bob", "cem"):
        site.sell(1)
        with engine.begin() as connection:
            newest = connection.scalar(select(Order.id).order_by(Order.id.desc()).limit(1))
            assert newest is not None
            keep_contact(connection, secret, newest, Contact(f"{name}@example.org", name), keep_days=1)
    made = site.backup()
    for name in ("ann", "bob"):
        erase_person(engine, secret, "test", f"{name}@example.org", partial(erased.record, settings.data_dir))
    with (settings.data_dir / erased.FILE).open("ab") as record:
        record.write(b"0123")  # what a crash left of a line
    site.backup(later_seconds=5)  # the newer one is lost, what lies beside it is not
    restored = site.lose_and_restore(made)
    assert export_person(restored.engine, restored.secret, "ann@example.org"), "the old backup still has them"
    done = reconcile_all(restored, [], "one")
    assert (done.forgotten, done.opened) == (2, 1)
    for name in ("ann", "bob"):
        with pytest.raises(Refused, match="unknown_person"):
            export_person(restored.engine, restored.secret, f"{name}@example.org")
    assert export_person(restored.engine, restored.secret, "cem@example.org")


@pytest.mark.parametrize(("count", "state"), [(1, "paid"), (2, "refunded")], ids=["one of two", "both"])
def test_money_sent_back_after_the_backup_is_booked_and_its_tickets_are_void(
    site: Site, count: int, state: str
) -> None:
    buyer = site.buyer()
    order = buyer.held({"class": "floor", "quantity": 2})
    buyer.pay(order)
    made = site.backup()
    event_id = site.services.tills.event_id("gig")
    order_id = UUID(order["order_id"])
    assert event_id is not None
    with read(site.services.engine) as connection:
        ids = connection.scalars(select(Ticket.id).order_by(Ticket.position).limit(count)).all()
    refund(site.services.engine, event_id, Wish(order_id, "organiser", "ill", tuple(ids)))
    assert run_due(site.services.engine, site.services.payments) == 1
    before = ledger_of(site.services)
    restored = site.lose_and_restore(made)
    done = reconcile_all(restored, [], "one")
    assert (done.booked.refunds, done.booked.unfit, done.problems, done.opened) == (1, (), (), 1)
    assert done.booked.guessed == ((order_id,) if count == 1 else ()), "nobody knows which of the two went back"
    assert ledger_of(restored) == before
    with read(restored.engine) as connection:
        assert connection.scalar(select(Order.state)) == state
        assert connection.scalars(select(Ticket.state)).all().count("refunded") == count
        assert connection.scalar(select(Refund.state)) == "done"
        assert connection.scalar(select(Stock.sold).where(Stock.class_number == 1)) == 2 - count
    assert restored.bank is not None
    assert restored.bank.balance().get("EUR", 0) == (2 - count) * 4950
    again = reconcile_all(restored, [], "one", made_at=time.time() - 60)
    assert (again.booked.refunds, again.opened) == (0, 1), "once is enough"
    assert ledger_of(restored) == before


def test_money_sent_back_for_more_than_the_tickets_are_worth_keeps_sales_closed(site: Site) -> None:
    site.sell(1)
    made = site.backup()
    with read(site.services.engine) as connection:
        payment_id = connection.execute(select(Payment.id)).scalar_one()
    assert site.services.bank is not None
    site.services.bank.refund(payment_id, uuid4(), 4950)
    restored = site.lose_and_restore(made)
    with restored.engine.begin() as connection:
        connection.execute(update(OrderLine).values(unit_price_minor=4949))
    assert reconcile_all(restored, [], "one").opened is None


def test_what_the_bank_charged_back_after_the_backup_is_booked_under_the_same_names(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backend.sales.payments.sandbox.LATE_SECONDS", 0.0)
    buyer = site.buyer()
    order = buyer.held({"class": "floor", "quantity": 2})
    assert buyer.pay(order, "charge_back").status_code == 200
    made = site.backup()
    with read(site.services.engine) as connection:
        payment = connection.execute(select(Order.event_id, Payment.id).join(Order, Order.id == Payment.order_id)).one()
    assert take_charge_back(site.services.engine, payment.event_id, payment.id)  # as its notification does
    before = ledger_of(site.services)
    restored = site.lose_and_restore(made)
    done = reconcile_all(restored, [], "one")
    assert (done.disputes.stopped, done.problems, done.opened) == ((UUID(order["order_id"]),), (), 1)
    assert ledger_of(restored) == before
    assert not take_charge_back(restored.engine, payment.event_id, payment.id), "told again, it is known"


def ledger_of(services: Services) -> list[tuple[str, str, str, int]]:
    """What was booked, without when."""
    with read(services.engine) as connection:
        query = select(LedgerEntry.key, LedgerEntry.debit, LedgerEntry.credit, LedgerEntry.amount_minor)
        return sorted((row.key, row.debit, row.credit, row.amount_minor) for row in connection.execute(query))


def test_a_payment_that_was_open_at_the_backup_is_settled_by_what_the_bank_says(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backend.sales.payments.reconcile.ASK_AFTER_SECONDS", -60)
    buyer = site.buyer()
    assert buyer.pay(buyer.held(), "timeout_then_approve").status_code == 202
    restored = site.lose_and_restore(site.backup())
    done = reconcile_all(restored, [], "one")
    assert (done.settled, done.opened) == (1, 1)
    with read(restored.engine) as connection:
        assert connection.scalar(select(Payment.state)) == "succeeded"
        assert connection.scalar(select(func.count()).select_from(Ticket)) == 1


def test_nothing_is_reconciled_beside_a_running_worker(site: Site) -> None:
    restored = site.lose_and_restore(site.backup())
    assert leases.take(restored.engine, "batcher", "a worker")
    with pytest.raises(Refused, match="worker_runs"):
        reconcile_all(restored, [], "one")
    assert leases.take(restored.engine, "chain", "a worker"), "what was taken before is given back"


def test_a_database_restored_by_other_means_can_be_reconciled_too(site: Site) -> None:
    site.sell()
    done = reconcile_all(site.services, [], "one", made_at=time.time())
    assert done.opened == 1


def drilled(site: Site) -> Drilled:
    """What `truestub drill` finds on another host."""
    url = site.services.settings.database_url
    return drill(newest_backup(site.folder / "backups"), KEY, site.folder / "other", url)


def left_of_drills(site: Site) -> list[str]:
    """What is in clear on the other host, or in a database there."""
    files = [path.name for path in (site.folder / "other").rglob("*") if path.is_file()]
    if site.services.engine.dialect.name == "sqlite":
        return files
    with read(site.services.engine) as connection:
        query = text("SELECT datname FROM pg_database WHERE datname = :name")
        return [*files, *connection.scalars(query, {"name": SCRATCH_DATABASE})]


def test_a_backup_of_the_newest_state_passes_the_drill_and_a_broken_one_does_not(site: Site) -> None:
    site.sell(2)
    site.backup()
    found = drilled(site)
    assert (found.checked.problems, found.checked.counts["tickets"]) == ((), 2)
    assert left_of_drills(site) == []
    with site.services.engine.begin() as connection:
        connection.execute(update(Stock).values(sold=0))
    site.backup(later_seconds=1)
    assert any("stock says" in one for one in drilled(site).checked.problems)
    assert left_of_drills(site) == []


def test_what_a_killed_drill_left_is_gone_after_the_next(site: Site) -> None:
    """Buyers' names lie in clear where a drill restores to."""
    made = site.backup()
    for place in ("drill.unpacked", "drill.restored"):
        killed_at(place, drill_in_process, made.file, site.folder / "other", site.services.settings.database_url)
        assert left_of_drills(site) != []
    assert drilled(site).checked.problems == ()
    assert left_of_drills(site) == []


def drill_in_process(file: Path, folder: Path, database_url: str) -> None:
    drill(file, KEY, folder, database_url)


def test_a_truncated_backup_restores_nothing(site: Site) -> None:
    made = site.backup()
    made.file.with_name(made.file.name + ".sha256").unlink()
    made.file.write_bytes(made.file.read_bytes()[:-1000])
    folder = site.folder / "elsewhere"
    settings = settings_from(
        {"TRUESTUB_DATA_DIR": str(folder), "TRUESTUB_DATABASE_URL": f"sqlite:///{folder}/x.sqlite"}
    )
    with pytest.raises(Refused, match="damaged_backup"):
        restore(settings, made.file, KEY)
    assert [path for path in folder.rglob("*") if path.is_file()] == []


def chain_settings(services: Services, node: ChainNode) -> Settings:
    return settings_from(
        {
            "TRUESTUB_DATA_DIR": str(services.settings.data_dir),
            "TRUESTUB_DATABASE_URL": services.settings.database_url,
            "TRUESTUB_NODE_URLS": node.url,
            "TRUESTUB_FINALITY_BLOCKS": "2",
        }
    )


def mint(services: Services, node: ChainNode, moved: int = 0) -> None:
    """What the worker does, until every ticket is in the index, and so many moves."""
    settings = chain_settings(services, node)
    worker = ChainWorker(services.engine, settings, [node.node], ensure_chain_keys(settings))
    held = leases.take(services.engine, "chain", "minter")
    assert held is not None
    deadline = time.monotonic() + DEADLINE_SECONDS
    while True:
        close_batches(services.engine, 0)
        worker.round(held)
        leases.take(services.engine, "chain", "minter")
        with read(services.engine) as connection:
            tickets = connection.scalar(select(func.count()).select_from(Ticket))
            tokens = connection.scalar(select(func.count()).select_from(Token))
            moves = connection.scalar(select(func.coalesce(func.sum(Token.epoch), 0)))
        if (tickets, moved) == (tokens, moves):
            break
        assert time.monotonic() < deadline, "minting took too long"
        time.sleep(0.1)
    leases.release(services.engine, held)


def test_seats_minted_after_the_backup_are_not_sold_again(
    site: Site,
    anvil: ChainNode,  # noqa: F811 - the fixture
) -> None:
    with site.services.engine.begin() as connection:
        event_id = connection.execute(select(Event.id)).scalar_one()
        enqueue_create_event(connection, event_id)
    site.sell(2, owner=OWNERS[0])
    mint(site.services, anvil)
    site.sell(1, owner=OWNERS[1])  # paid, and not numbered yet when the backup is made
    made = site.backup()
    later = put_on_sale(site.services.engine, slug="later")
    with site.services.engine.begin() as connection:
        enqueue_create_event(connection, later)
    site.sell(3, owner=OWNERS[2])
    mint(site.services, anvil)
    lost = contract_of(site.services, later)
    restored = site.lose_and_restore(made, TRUESTUB_NODE_URLS=anvil.url)
    done = reconcile_all(restored, [anvil.node], "one", refund_unknown=True)
    assert (done.recovered.numbered, done.recovered.made) == (1, 3)
    assert done.unknown_events == (lost,), "an event that the backup does not know is named, and no other"
    assert (done.problems, done.opened) == ((), 1)
    with read(restored.engine) as connection:
        assert check_rows(connection).problems == ()
        assert connection.scalar(select(Stock.sold).where(Stock.class_number == 1)) == 6
    answer = site.buyer().order({"class": "floor", "quantity": CAPACITY - 6 + 1})
    assert answer.status_code == 409, "what is on the chain is sold"
    site.sell(CAPACITY - 6, owner=OWNERS[1])
    mint(restored, anvil)
    assert check_chain(restored.engine, anvil.url).problems == []


def test_a_ticket_given_away_after_the_backup_is_not_made_twice(
    site: Site,
    anvil: ChainNode,  # noqa: F811 - the fixture
) -> None:
    """Sold and not numbered when the backup is made; then minted to its buyer, who gives it to somebody else."""
    holder, friend = (Account.from_key(ACCOUNTS[place][1]) for place in (5, 6))
    with site.services.engine.begin() as connection:
        event_id = connection.execute(select(Event.id)).scalar_one()
        enqueue_create_event(connection, event_id)
    site.sell(1, owner=OWNERS[0])
    mint(site.services, anvil)
    site.sell(2, owner=holder.address)
    made = site.backup()
    mint(site.services, anvil)
    with read(site.services.engine) as connection:
        theirs = Ticket.owner == bytes.fromhex(holder.address[2:])
        ticket = connection.execute(select(Ticket).where(theirs).order_by(Ticket.position).limit(1)).one()
    to, deadline = bytes.fromhex(friend.address[2:]), int(time.time()) + 90 * 86_400
    contract = contract_of(site.services, event_id)
    message = move_typed_data(31337, contract, ticket.token_id, 0, to, deadline)
    signature = bytes(holder.sign_message(encode_typed_data(full_message=message)).signature)
    move(site.services.engine, ticket.id, Gift(to, 0, deadline, signature))
    mint(site.services, anvil, moved=1)
    anvil.mine(3)  # the move is final
    restored = site.lose_and_restore(made, TRUESTUB_NODE_URLS=anvil.url)
    done = reconcile_all(restored, [anvil.node], "one", refund_unknown=True)
    assert (done.recovered.numbered, done.recovered.made) == (2, 0)
    assert (done.problems, done.opened) == ((), 1)
    with read(restored.engine) as connection:
        assert connection.scalar(select(Stock.sold).where(Stock.class_number == 1)) == 3
        known = connection.execute(select(Ticket).where(Ticket.id == ticket.id)).one()
        assert known.token_id == ticket.token_id
        assert effective_owner(connection, known) == Owner(to, 1)


def test_what_was_cancelled_on_the_chain_after_the_backup_is_not_sold_again(
    site: Site,
    anvil: ChainNode,  # noqa: F811 - the fixture
) -> None:
    with site.services.engine.begin() as connection:
        event_id = connection.execute(select(Event.id)).scalar_one()
        enqueue_create_event(connection, event_id)
    site.sell(1, owner=OWNERS[0])
    mint(site.services, anvil)
    made = site.backup()
    contract = "0x" + contract_of(site.services, event_id).hex()
    admin = "0x" + RelayerKey(DEVELOPMENT_KEYS["admin"]).address.hex()
    anvil.call("eth_sendTransaction", {"from": admin, "to": contract, "data": "0x" + selector("cancelEvent()").hex()})
    anvil.mine(3)
    restored = site.lose_and_restore(made, TRUESTUB_NODE_URLS=anvil.url)
    done = reconcile_all(restored, [anvil.node], "one")
    assert (done.problems, done.opened) == ((), 0)
    assert state_of(restored) == "paused"


def contract_of(services: Services, event_id: UUID) -> bytes:
    with read(services.engine) as connection:
        query = select(ChainContract.address).where(ChainContract.event_id == event_id)
        return bytes(connection.execute(query).scalar_one())


def test_without_its_chain_a_restored_shop_stays_closed(site: Site, anvil: ChainNode) -> None:  # noqa: F811 - the fixture
    restored = site.lose_and_restore(site.backup(), TRUESTUB_NODE_URLS=anvil.url)
    anvil.kill()
    with pytest.raises(Refused, match="chain_not_ready"):
        reconcile_all(restored, [anvil.node], "one")
    assert state_of(restored) == "paused"


def test_a_shop_with_a_chain_stays_closed_while_no_node_is_named(site: Site, anvil: ChainNode) -> None:  # noqa: F811 - the fixture
    with site.services.engine.begin() as connection:
        enqueue_create_event(connection, connection.execute(select(Event.id)).scalar_one())
    site.sell(1, owner=OWNERS[0])
    mint(site.services, anvil)
    restored = site.lose_and_restore(site.backup())
    with pytest.raises(Refused, match="chain_not_ready"):
        reconcile_all(restored, [], "one")
    assert state_of(restored) == "paused"


def test_serials_given_after_the_backup_are_not_given_again(site: Site) -> None:
    """A gate that saw the lost code refuses lower serials; two codes of one serial could not be told apart."""
    site.sell(2)
    made = site.backup()
    restored = site.lose_and_restore(made)
    with restored.engine.begin() as connection:
        ticket, other = connection.execute(select(Ticket).order_by(Ticket.position)).all()
        forgotten = made_before(connection)
        step = step_of(connection, ticket)
        assert step > MAX_CREDENTIALS_PER_TICKET * (1 + forgotten // (1000 * CREDENTIAL_WINDOW_SECONDS))
        give(connection, ticket, 1 + step)
        assert step_of(connection, ticket) == 1  # from then on one by one
        assert step_of(connection, other) == step
    reconcile_all(restored, [], "one")
    with restored.engine.begin() as connection:
        assert step_of(connection, other) == step  # whoever comes late is stepped over as well
    site.sell(1)
    with restored.engine.begin() as connection:
        fresh = connection.execute(select(Ticket).order_by(Ticket.sold_ms.desc()).limit(1)).one()
        assert step_of(connection, fresh) == 1


def test_the_same_backup_restored_a_second_time_steps_further() -> None:
    hour = 1000 * CREDENTIAL_WINDOW_SECONDS
    first, again = step_over(5 * hour), step_over(7 * hour)
    assert again > first + MAX_CREDENTIALS_PER_TICKET  # what was given between the two included
    assert step_over(-5) > MAX_CREDENTIALS_PER_TICKET  # clocks differ


def made_before(connection: Connection) -> int:
    """How long before the restore the backup was made, in milliseconds."""
    row = connection.execute(select(Restore)).one()
    return int(row.at_ms - row.made_ms)


def give(connection: Connection, ticket: Row[Any], serial: int) -> None:
    connection.execute(
        insert(Credential).values(
            event_id=ticket.event_id,
            token_id=1 << 16 | serial,
            serial=serial,
            ticket_id=ticket.id,
            data=bytes(135),
            device_key=bytes(32),
            issued_ms=now_ms(connection),
        )
    )
