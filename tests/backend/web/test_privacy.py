"""Personal data: planted once, then looked for everywhere it must not be; given out and forgotten on request (P8)."""

import base64
import io
import json
import logging
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote
from uuid import UUID

import pytest
from flask import Flask, request
from flask.testing import FlaskClient
from nacl.exceptions import CryptoError
from sqlalchemy import insert, select, update
from sqlalchemy.engine import make_url

from backend.app import create_app
from backend.chain.batcher import close_batches
from backend.db.tables.orders import Order, Outbox
from backend.db.tables.privacy import OrderConsent, Person, PersonalField, RecoveryCode
from backend.desk.audit import Head, verify
from backend.errors import Refused
from backend.logs import configure_logs
from backend.notices.order_outbox import ask_recovery
from backend.privacy.contacts import DAY_MS, checked_contact, contacts_of, mail_index, orders_by_mail
from backend.privacy.rights import erase_due, erase_person, export_person
from backend.privacy.sealing import seal, unseal
from backend.sales.payments.outbox import run_due
from backend.wiring import Services
from tests.support.desk import at_desk, post
from tests.support.forms import HTML
from tests.support.postgres import binary

MAIL, NAME = "zorblatt.quexington@planted.example", "Zorblatt Quexington"
OTHER_MAIL, OTHER_NAME = "vexiolla@planted.example", "Vexiolla Nimblewick"
PLANTED = ("zorblatt", "quexington", "vexiolla", "nimblewick", "planted.example")


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    configure_logs("web", stream, logging.DEBUG)
    yield stream
    root.handlers[:], root.level = handlers, level


@pytest.fixture
def app(services: Services) -> Flask:
    return create_app(services)


def buy(client: FlaskClient, mail: str, name: str, **more: str) -> str:
    """An order by form, with a contact; its number."""
    held = post(client, "/events/gig", "/events/gig", form=f"page-{mail}", **{"quantity-floor": "2"})
    order = held.headers["Location"]
    pay = {"form": "pay", "method": "sandbox", "token": "approve", "mail": mail, "name": name, **more}
    assert post(client, f"{order}/pay", order, **pay).status_code == 303
    return order.rpartition("/")[2]


def spellings(word: str) -> list[bytes]:
    """A word as it could lie in files, texts, addresses and calldata."""
    found = [word, word.title(), word.upper(), word.capitalize()]
    raw = [text.encode(encoding) for text in found for encoding in ("utf-8", "utf-16-le", "utf-16-be")]
    coded = [text.encode().hex().encode() for text in found] + [
        base64.b64encode(text.encode()[start : start + 9])[2:-4] for text in found for start in range(3)
    ]
    return raw + [one for one in coded if len(one) > 6]


def everything_stored(services: Services) -> bytes:
    """Every byte of the database: its files, or what a dump has."""
    url = make_url(services.settings.database_url)
    if url.get_backend_name() == "sqlite":
        assert url.database is not None
        return b"".join(file.read_bytes() for file in sorted(Path(url.database).parent.glob("truestub.sqlite*")))
    dump = [binary("pg_dump"), "--no-password", services.settings.database_url]
    return subprocess.run(dump, capture_output=True, check=True, timeout=120).stdout


def test_planted_personal_data_is_nowhere_in_the_clear(
    app: Flask, services: Services, logged: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    addresses: list[str] = []
    app.before_request(lambda: addresses.append(_address()))
    client, owner = app.test_client(), at_desk(app, services, "owner")
    order = buy(client, MAIL, NAME, news="1")
    other = buy(client, OTHER_MAIL, OTHER_NAME)
    found = post(owner, "/desk/orders", "/desk/orders", wanted=MAIL.upper())
    assert found.headers["Location"] == f"/desk/orders/{order}"
    page = f"/desk/orders/{order}"
    assert NAME in owner.get(page, headers=HTML).text
    corrected = {"mail": MAIL, "name": f"{NAME} Jr", "checked": "identity_card"}
    assert post(owner, f"{page}/contact", page, **corrected).status_code == 303
    assert post(owner, f"{page}/contact", page, mail="zorblatt@@planted", checked="receipt").status_code == 303
    assert NAME in post(owner, "/desk/events/gig/attendees.csv", "/desk/events/gig/attendees").text
    ticket = owner.get(f"/desk/orders/{other}", headers=HTML).text.split('name="ticket" value="')[1][:36]
    post(owner, f"/desk/orders/{other}/refund", f"/desk/orders/{other}", form="x", ticket=ticket, reason="asked")
    run_due(services.engine, services.payments)
    close_batches(services.engine, 0)  # calldata of the mints, as it will be sent
    with monkeypatch.context() as patched:  # a fault, whose trace is logged with what was being done
        patched.setattr("backend.web.desk.orders.orders_by_mail", lambda *_all: 1 // 0)
        assert post(owner, "/desk/orders", "/desk/orders", wanted=MAIL).status_code == 500
    heaps = {"database": everything_stored(services), "logs": logged.getvalue().encode()}
    heaps["addresses"] = "\n".join(addresses).encode()
    assert b"ZeroDivisionError" in heaps["logs"]
    assert order.encode() in heaps["addresses"]
    assert len(heaps["database"]) > 10_000
    for where, heap in heaps.items():
        for word in PLANTED:
            assert not [one for one in spellings(word) if one in heap], (where, word)


def test_what_a_person_may_ask_for(app: Flask, services: Services) -> None:
    client = app.test_client()
    first, second = buy(client, MAIL, NAME, news="1"), buy(client, MAIL.title(), NAME)
    other = buy(client, OTHER_MAIL, OTHER_NAME)
    told = export_person(services.engine, services.secret, MAIL)
    assert {one["order_id"] for one in told["orders"]} == {first, second}
    assert {(one["name"], one["terms_version"]) for one in told["orders"]} == {(NAME, "1")}
    assert sorted(one["news"] for one in told["orders"]) == [False, True]
    assert OTHER_NAME not in json.dumps(told)
    mark = mail_index(services.secret, MAIL)
    with services.engine.begin() as connection:
        keys = list(connection.scalars(select(Person.key)))
        with app.test_request_context():
            ask_recovery(connection, mark)
        code = {"hash": bytes(32), "mail_index": mark, "expires_ms": 1 << 50}
        connection.execute(insert(RecoveryCode).values(**code))
    assert erase_person(services.engine, services.secret, "command line", MAIL) == 4
    with pytest.raises(Refused, match="unknown_person"):
        export_person(services.engine, services.secret, MAIL)
    assert orders_by_mail(services.engine, services.secret, MAIL) == []
    assert len(orders_by_mail(services.engine, services.secret, OTHER_MAIL)) == 1
    with services.engine.connect() as connection:
        assert connection.scalars(select(RecoveryCode.hash)).all() == []
        assert not [key for key in connection.scalars(select(Outbox.key)) if mark.hex() in key]
    if services.engine.dialect.name == "sqlite":
        left = everything_stored(services)
        assert sum(key in left for key in keys) == 1  # the other person's
    with services.engine.connect() as connection:  # the sale itself stays, and adds up
        assert len(connection.scalars(select(Order.id).where(Order.state == "paid")).all()) == 3
        assert len(connection.scalars(select(OrderConsent.order_id)).all()) == 3
    assert isinstance(verify(services.engine, services.secret), Head)
    page = at_desk(app, services, "owner").get(f"/desk/orders/{other}", headers=HTML).text
    assert OTHER_NAME in page


def test_personal_data_is_forgotten_when_its_time_has_come(app: Flask, services: Services) -> None:
    order = buy(app.test_client(), MAIL, NAME)
    assert erase_due(services.engine, services.secret) == 0
    with services.engine.begin() as connection:
        kept = connection.execute(select(Person.keep_until_ms)).scalar_one()
        ends = 1_907_787_600_000  # 2030-06-15T21:00:00Z, when the gig is over
        assert kept == ends + services.settings.keep_personal_days * DAY_MS
        connection.execute(update(Person).values(keep_until_ms=1))
    assert erase_due(services.engine, services.secret) == 1
    with services.engine.connect() as connection:
        assert connection.execute(select(PersonalField.row_id)).all() == []
    assert app.test_client().get(f"/desk/orders/{order}").status_code == 303


def test_a_value_moved_to_another_row_does_not_open(app: Flask, services: Services) -> None:
    mine, other = (buy(app.test_client(), mail, name) for mail, name in ((MAIL, NAME), (OTHER_MAIL, OTHER_NAME)))
    with services.engine.begin() as connection:
        where = (PersonalField.column_name == "name", PersonalField.row_id == other)
        stolen = connection.execute(select(PersonalField.sealed, PersonalField.person_id).where(*where)).one()
        moved = update(PersonalField).where(PersonalField.column_name == "name", PersonalField.row_id == mine)
        connection.execute(moved.values(sealed=stolen.sealed, person_id=stolen.person_id))
    with pytest.raises(CryptoError):
        contacts_of(services.engine, services.secret, [UUID(mine)])


def test_a_sealed_value_opens_at_its_place_with_its_key_only() -> None:
    key, place = bytes(32), ("orders", "1", "mail")
    sealed = seal(key, b"value", place)
    assert unseal(key, sealed, place) == b"value"
    assert seal(key, b"value", place) != sealed
    for other in (("orders", "2", "mail"), ("orders", "1", "name"), ("order", "s1", "mail"), ("orders", "1m", "ail")):
        with pytest.raises(CryptoError):
            unseal(key, sealed, other)
    with pytest.raises(CryptoError):
        unseal(b"k" * 32, sealed, place)


@pytest.mark.parametrize(
    "mail",
    ["x", "@", "a@b", "a b@example.org", "a@example.org\nBcc: c@example.org", "<a@example.org>", "a" * 300 + "@b.org"],
)
def test_what_is_no_address_is_refused_without_being_repeated(mail: str) -> None:
    with pytest.raises(Refused) as caught:
        checked_contact(mail, "")
    assert caught.value.refusal.code == "bad_mail_address"
    assert mail not in caught.value.refusal.sentence or len(mail) < 4


def test_names_are_taken_as_people_write_them() -> None:
    for name in ("李小龙", "Ana María O'Neill-Ñandú", "'); DROP TABLE people;--", "<script>", "ﷺ"):
        assert checked_contact("", f"  {name} ").name == name
    assert checked_contact("用户@例子.中国", "").mail == "用户@例子.中国"


def _address() -> str:
    return quote(request.full_path) + request.full_path
