"""SIGKILL between two commits of what is beside the sale: done again by the normal path, it is done once.

Each place is reached by a process of its own, which dies there; `tests/e2e/test_kill.py` says which test kills where.
"""

import json
import time
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from nacl.signing import SigningKey
from sqlalchemy import Engine, func, insert, select, update

from backend.app import create_app
from backend.chain.batcher import close_batches
from backend.chain.jobs import enqueue_create_event
from backend.chain.marks import ask_for_marks
from backend.credentials.bundles import newest, refresh
from backend.credentials.keystore import KeyRole, KeyStore
from backend.credentials.published import newest_key_list
from backend.credentials.publishing import publish, rotate
from backend.credentials.signer import Signer
from backend.db.engine import make_engine
from backend.db.tables.chain import ChainJob, ChainMark
from backend.db.tables.credentials import Bundle
from backend.db.tables.events import Event, Stock
from backend.db.tables.orders import Outbox, Refund, Ticket
from backend.domain.event_file import parse_event_file
from backend.notices.outbox import ALERT, Item, send_due
from backend.sales.events import create_event, prepare_event
from backend.sales.installation import platform_id
from backend.sales.ledger import check_ledger
from backend.sales.payments import sandbox
from backend.sales.payments.outbox import run_due
from backend.settings import Settings
from backend.wiring import Services, wire
from credential.keylist import Reason, Role
from tests.backend.credentials.test_bundles import InProcess
from tests.backend.credentials.test_key_lists import Rotator
from tests.backend.credentials.world import EXAMPLE, World, make_world
from tests.support.buyer import Buyer, new_key
from tests.support.checker import check_sales
from tests.support.forked_worker import killed_at, killed_wired_at
from tests.support.rows import add_event, add_paid_tickets
from tests.support.shop import SeededSigner, put_on_sale

ROUNDS = pytest.mark.parametrize("rounds", [1, pytest.param(20, marks=pytest.mark.deep)])
PRICE = 4950
NOTIFY = "/payments/sandbox/notify"
ROOT = SigningKey(b"root of the kill tests".ljust(32))


# --- what dies: each in a process of its own --------------------------------------------------------------------------


def give_back(settings: Settings, order: dict[str, Any], ticket: str, key: str) -> None:
    Buyer(create_app(wire(settings)).test_client()).give_back(order, ticket, key=key)


def hear_from_bank(settings: Settings, body: bytes, headers: dict[str, str]) -> None:
    create_app(wire(settings)).test_client().post(NOTIFY, data=body, headers=headers)


def send_refunds(settings: Settings) -> None:
    services = wire(settings)
    run_due(services.engine, services.payments)


def put_event_on_sale(url: str, event_id: UUID) -> None:
    prepare_event(make_engine(url), SeededSigner(), event_id, enqueue_create_event)


def ask_marks(url: str) -> None:
    ask_for_marks(make_engine(url), 0)


def send_notices(url: str, letters: Path) -> None:
    send_due(make_engine(url), lambda item: _note(letters, item), (ALERT,))


def rotate_key(url: str, folder: Path, event_id: UUID) -> None:
    engine = make_engine(url)
    rotate(engine, Rotator(engine, KeyStore(folder)), [ROOT], event_id, KeyRole.ISSUING)  # type: ignore[arg-type]


def renew_bundle(url: str, folder: Path, event_id: UUID) -> None:
    engine = make_engine(url)
    refresh(engine, _signer(engine, folder, event_id))


# --- money ------------------------------------------------------------------------------------------------------------


@ROUNDS
def test_killed_around_a_refund_the_money_goes_back_once(services: Services, rounds: int) -> None:
    put_on_sale(services.engine, floor=2 * rounds)
    with services.engine.begin() as connection:
        connection.execute(update(Event).values(refund_until_ms=Event.doors_ms))
    buyer = Buyer(create_app(services).test_client())
    for number in range(rounds):
        order, key = buyer.bought({"class": "floor", "quantity": 2}), new_key()
        ticket = order["tickets"][0]["ticket_id"]
        killed_wired_at("refund.written", give_back, services.settings, order, ticket, key)
        with services.engine.connect() as connection:
            assert connection.scalar(select(func.count(Refund.id))) == number, "half a refund was written"
        assert buyer.give_back(order, ticket, key=key).status_code == 200
        killed_wired_at("refund.sent", send_refunds, services.settings)
        assert run_due(services.engine, services.payments) == 1
    _books_balance(services)
    assert services.bank
    assert services.bank.balance() == {"EUR": rounds * PRICE}


@ROUNDS
def test_killed_while_a_charge_back_is_written_it_is_written_once(
    services: Services, rounds: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sandbox, "LATE_SECONDS", 0.0)
    put_on_sale(services.engine, floor=1)
    client = create_app(services).test_client()
    for _ in range(rounds):
        order = Buyer(client).bought(token="charge_back")
        (body, headers) = _news(services)
        killed_wired_at("refund.charged_back", hear_from_bank, services.settings, body, headers)
        assert Buyer(client).look(order)["payment"]["state"] == "succeeded"
        for _again in range(2):
            assert client.post(NOTIFY, data=body, headers=headers).status_code == 204
        assert Buyer(client).look(order)["payment"]["state"] == "charged_back"
    _books_balance(services)
    with services.engine.connect() as connection:
        assert connection.scalar(select(Stock.sold).where(Stock.class_number == 1)) == 0


# --- the outbox of the chain, of letters, and an event's birth --------------------------------------------------------


@ROUNDS
def test_killed_while_an_event_gets_its_keys_it_gets_one_contract(
    engine: Engine, database_url: str, rounds: int
) -> None:
    plan = parse_event_file(EXAMPLE.read_bytes())
    event_id = create_event(engine, plan, bytes(32))
    for _ in range(rounds):
        killed_at("event.keys", put_event_on_sale, database_url, event_id)
        killed_at("jobs.create_event", put_event_on_sale, database_url, event_id)
        with engine.connect() as connection:
            assert connection.scalar(select(Event.custody_address)) is None
    prepare_event(engine, SeededSigner(), event_id, enqueue_create_event)
    with engine.connect() as connection:
        assert connection.scalar(select(Event.custody_address)) is not None
        assert connection.scalars(select(ChainJob.kind)).all() == ["create_event"]


@ROUNDS
def test_killed_while_a_revocation_is_asked_for_it_is_asked_for_once(
    engine: Engine, database_url: str, rounds: int
) -> None:
    with engine.begin() as connection:
        event_id = add_event(connection)
        enqueue_create_event(connection, event_id)
    for _ in range(rounds):
        with engine.begin() as connection:
            (ticket,) = add_paid_tickets(connection, event_id, [b"\x01" * 20])
        close_batches(engine, 0)
        with engine.begin() as connection:
            connection.execute(update(Ticket).where(Ticket.id == ticket).values(state="refunded"))
        killed_at("jobs.revoke", ask_marks, database_url)
        killed_at("marks.written", ask_marks, database_url)
        assert ask_for_marks(engine, 0) == 1
        assert ask_for_marks(engine, 0) == 0
    with engine.connect() as connection:
        jobs = connection.scalars(select(ChainJob.tickets).where(ChainJob.kind == "revoke")).all()
        marks = connection.scalars(select(ChainMark.token_id)).all()
    assert (sum(jobs), len(set(marks)), len(marks)) == (rounds, rounds, rounds)


@ROUNDS
def test_killed_after_a_letter_left_it_is_sent_again_under_the_same_id(
    engine: Engine, database_url: str, tmp_path: Path, rounds: int
) -> None:
    letters = tmp_path / "letters"
    for number in range(rounds):
        with engine.begin() as connection:
            row = {"topic": ALERT, "key": f"alert:{number}", "payload": {}, "state": "waiting"}
            connection.execute(insert(Outbox).values(**row, attempts=0, due_ms=0, created_ms=0))
        killed_at("notice.sent", send_notices, database_url, letters)
        assert send_due(engine, lambda item: _note(letters, item), (ALERT,)) == 1
        assert send_due(engine, lambda item: _note(letters, item), (ALERT,)) == 0
    sent = [json.loads(line) for line in letters.read_text().splitlines()]
    assert sent[::2] == sent[1::2], "the second copy has another id than the first"
    assert len({*sent}) == rounds


# --- keys and bundles -------------------------------------------------------------------------------------------------


@pytest.fixture
def world(engine: Engine, tmp_path: Path) -> World:
    made = make_world(engine, KeyStore(tmp_path / "keys"))
    publish(engine, [ROOT])
    return made


@ROUNDS
def test_killed_in_a_rotation_it_is_finished_with_one_new_key(
    world: World, database_url: str, tmp_path: Path, rounds: int
) -> None:
    scene = (database_url, tmp_path / "keys", world.event_id)
    rotator = Rotator(world.engine, KeyStore(tmp_path / "keys"))
    for number in range(1, rounds + 1):
        for place in ("keystore.written", "keystore.linked", "keys.rotated", "keys.before_commit"):
            killed_at(place, rotate_key, *scene)
        rotate(world.engine, rotator, [ROOT], world.event_id, KeyRole.ISSUING)  # type: ignore[arg-type]
        with world.engine.connect() as connection:
            key_list = newest_key_list(connection)
        assert key_list
        issuing = [entry.reason for entry in key_list.entries if entry.role is Role.ISSUING]
        assert issuing.count(Reason.NONE) == 1
        assert len(issuing) == 1 + number, "a rotation that was cut short left a key of its own"


@ROUNDS
def test_killed_before_a_bundle_is_stored_the_next_has_a_higher_version(
    world: World, database_url: str, tmp_path: Path, rounds: int
) -> None:
    scene = (database_url, tmp_path / "keys", world.event_id)
    signer = _signer(world.engine, tmp_path / "keys", world.event_id)
    before = 0
    for _ in range(rounds):
        world.sell()
        with world.engine.begin() as connection:  # as if all that was made so far had been made a minute ago
            connection.execute(update(Bundle).values(created_ms=Bundle.created_ms - 60_000))
        killed_at("bundles.signed", renew_bundle, *scene)
        killed_at("bundles.before_commit", renew_bundle, *scene)
        assert refresh(world.engine, signer) == 1
        stored = newest(world.engine, world.event_id)
        assert stored
        assert stored.version > before
        before = stored.version
    with world.engine.connect() as connection:
        assert connection.scalar(select(func.max(Bundle.version))) == before


def _news(services: Services) -> tuple[bytes, dict[str, str]]:
    """The one thing that the bank has not told yet, signed by its clock of now."""
    assert services.bank
    (letter,) = services.bank.due(10**12)
    services.bank.delivered(letter)
    now = int(services.clock())
    return letter.body, {sandbox.SIGNATURE_HEADER: f"t={now},v1={services.bank._mac(now, letter.body)}"}


def _books_balance(services: Services) -> None:
    assert services.bank
    assert check_ledger(services.engine, {"sandbox": services.bank}) == []
    assert check_sales(services.engine).problems == []


def _note(letters: Path, item: Item) -> None:
    with letters.open("a") as file:
        file.write(json.dumps(item.id) + "\n")


def _signer(engine: Engine, folder: Path, event_id: UUID) -> InProcess:
    platform = platform_id(engine)
    assert platform
    return InProcess(World(engine, Signer(engine, KeyStore(folder), time.time), platform, event_id, b"", b"", ""))
