"""A shop whose event takes money on the chain: a real node, and the worker in the test's hand."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from flask.testing import FlaskClient
from sqlalchemy import Engine, Select, select, update

from backend.app import create_app
from backend.chain import leases
from backend.chain.jobs import enqueue_create_event
from backend.chain.keys import ensure_chain_keys
from backend.chain.worker import ChainWorker
from backend.credentials.event_keys import prepare_event
from backend.credentials.keystore import KeyStore
from backend.credentials.messages import EventKeys
from backend.db.migrate import upgrade
from backend.db.tables.chain_money import ChainReceipt
from backend.db.tables.orders import Order, Outbox
from backend.sales.ledger import check_ledger
from backend.sales.payments import outbox, reconcile
from backend.sales.payments.chain_watch import watch
from backend.settings import settings_from
from backend.wiring import Services, wire
from tests.support.anvil import ACCOUNTS
from tests.support.buyer import Buyer, new_key, opens
from tests.support.chain_node import ChainNode
from tests.support.checker import check_sales
from tests.support.installation import wait_until
from tests.support.patience import patient
from tests.support.shop import put_on_sale

PAYER, OTHER = ACCOUNTS[5][0], ACCOUNTS[6][0]
WEI_PER_CENT = 400_000_000_000
PRICE = 4950
FINALITY = 2


@dataclass
class Till:
    """A shop whose event takes money on the chain, and its worker in the test's hand."""

    services: Services
    node: ChainNode
    client: FlaskClient
    worker: ChainWorker
    held: leases.HeldLease
    event_id: UUID
    since: int = 0  # block: receipts of later ones are this test's

    def turn(self, blocks: int = 0) -> None:
        """What the worker does in a round, after so many new blocks."""
        if blocks:
            self.node.mine(blocks)
        self.worker.round(self.held)
        assert self.services.chain
        watch(self.services.engine, self.services.tills, self.services.chain)
        reconcile.reconcile(self.services.engine, self.services.tills, self.services.payments)
        outbox.run_due(self.services.engine, self.services.payments)

    def until(self, ready: Callable[[], object], what: str) -> None:
        def once() -> object:
            self.again()
            self.turn(1)
            return ready()

        wait_until(once, what, seconds=60)

    def again(self) -> None:
        """What was put off is due."""
        with self.services.engine.begin() as connection:
            connection.execute(update(Outbox).values(due_ms=0))

    def ask(self, count: int = 1) -> tuple[dict[str, Any], dict[str, Any]]:
        """A held order, and what is to be paid for it."""
        order = Buyer(self.client).held({"class": "floor", "quantity": count})
        answer = self.start(order)
        assert answer.status_code == 202, answer.get_data(as_text=True)
        return order, answer.get_json()["payment"]["chain"]

    def start(self, order: dict[str, Any]) -> Any:
        return start_on_chain(self.client, order, new_key())

    def send(self, to: str, data: str, value: int = 0, sender: str = PAYER) -> None:
        fields = {"from": sender, "to": to, "data": data, "value": hex(value), "gas": hex(500_000)}
        self.node.call("eth_sendTransaction", fields)
        self.node.mine()

    def pay(self, offer: dict[str, Any]) -> None:
        self.send(offer["to"], offer["data"], int(offer["value"]))

    def state(self, order: dict[str, Any]) -> tuple[str, str]:
        told = Buyer(self.client).look(order)
        return told["state"], told["payment"]["state"]

    def time_is_up(self, order: dict[str, Any]) -> None:
        with self.services.engine.begin() as connection:
            mine = Order.id == UUID(order["order_id"])
            connection.execute(update(Order).where(mine).values(hold_expires_ms=1))

    def receipts(self) -> list[tuple[str, bool, bool]]:
        """State, whether extra, whether meant for a payment."""
        with self.services.engine.connect() as connection:
            rows = connection.execute(_receipts(self.since)).all()
            return [(row.state, row.extra, row.payment_id is not None) for row in rows]

    def money_adds_up(self) -> None:
        assert self.services.chain
        assert check_ledger(self.services.engine, {"chain": self.services.chain}) == []
        assert check_sales(self.services.engine).problems == []


def start_on_chain(client: FlaskClient, order: dict[str, Any], key: str) -> Any:
    """Ask for what is to be paid on the chain."""
    return client.post(
        f"/api/v1/orders/{order['order_id']}/payments",
        json={"method": "chain", "token": "wallet"},
        headers={"Idempotency-Key": key, **opens(order)},
    )


@contextmanager
def open_chain_shop(folder: Path, url: str) -> Iterator[Till]:
    """A node, a contract and an event of 60 places."""
    node = ChainNode(FINALITY)
    node.start()
    settings = settings_from(
        {
            "TRUESTUB_DATA_DIR": str(folder / "data"),
            "TRUESTUB_DATABASE_URL": url,
            "TRUESTUB_NODE_URLS": node.url,
            "TRUESTUB_FINALITY_BLOCKS": str(FINALITY),
            "TRUESTUB_CHAIN_TOKENS": f"EUR=native:{WEI_PER_CENT}",
        }
    )
    services = patient(wire(settings))
    upgrade(services.engine)
    try:
        event_id = put_on_sale(services.engine, floor=60, signer=_Keys(services.engine, settings.keys_dir))
        with services.engine.begin() as connection:
            enqueue_create_event(connection, event_id)
        held = leases.take(services.engine, "chain", "test", seconds=600)
        assert held
        worker = ChainWorker(services.engine, settings, [node.node], ensure_chain_keys(settings))
        made = Till(services, node, create_app(services).test_client(), worker, held, event_id)
        made.until(lambda: services.chain and services.chain.open_for(event_id), "the event's contract")
        yield made
    finally:
        services.close()
        node.close()


@dataclass(frozen=True)
class _Keys:
    """The event's keys where a signer of this shop finds them."""

    engine: Engine
    folder: Path

    def prepare_event(self, event_id: UUID) -> EventKeys:
        return prepare_event(self.engine, KeyStore(self.folder), event_id)


def _receipts(since: int) -> Select[Any]:
    return select(ChainReceipt).where(ChainReceipt.block_number > since).order_by(ChainReceipt.block_number)
