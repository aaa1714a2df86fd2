"""Whoever confirmed is told once, by mail or by a signed webhook; whoever did not is left alone."""

import base64
import dataclasses
import re
import secrets
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import insert, select, update

from backend.db.clock import now_ms
from backend.db.engine import read
from backend.db.tables.chain import Diagnosis
from backend.db.tables.orders import Outbox
from backend.db.tables.telling import Incident, Subscriber
from backend.errors import Refused
from backend.notices import subscribers, webhook
from backend.notices.outbox import (
    ALERT,
    CONFIRM,
    MAX_ATTEMPTS,
    OF_INCIDENTS,
    Item,
    NotSentError,
    enqueue,
    send_due,
    spread,
)
from backend.notices.sending import Sending
from backend.notices.subscribers import Book
from backend.ops import incident_store
from backend.ops.incidents import CLOSE_AFTER_MS
from backend.ops.reports import write_reports
from backend.ops.watch import Watcher
from backend.wiring import Services
from tests.backend.notices.conftest import Hook, Post

HTML = {"Accept": "text/html"}
ADDRESS = "ada@example.org"
TOPICS = (*OF_INCIDENTS, CONFIRM)


def ask(client: FlaskClient, address: str = ADDRESS, channel: str = "mail", **headers: str) -> Any:
    return client.post(
        "/api/v1/subscriptions",
        json={"channel": channel, "address": address},
        headers={"Idempotency-Key": secrets.token_hex(16), **headers},
    )


def work(services: Services, sending: Sending) -> None:
    """What the worker does, until there is nothing due."""
    while spread(services.engine) + send_due(services.engine, sending.send, TOPICS):
        pass


def post_incident(services: Services, text: str = "Cards fail.") -> int:
    with services.engine.begin() as connection:
        now = now_ms(connection)
        number, note = incident_store.post(connection, "posted", "payments", "waits", (text, "银行卡失败。"), now)
        enqueue(connection, [note])
    return number


def link_in(text: str) -> str:
    found = re.search(r"http://shop\.example(/subscriptions/[\w-]+)", text)
    assert found is not None
    return found[1]


def confirmed(client: FlaskClient, services: Services, sending: Sending, post: Post, **headers: str) -> str:
    assert ask(client, **headers).status_code == 202
    work(services, sending)
    link = link_in(post.letters.pop().get_content())
    assert client.post(link).status_code == 303
    return link


def test_an_address_that_never_said_yes_is_told_nothing(
    client: FlaskClient, services: Services, sending: Sending, post: Post
) -> None:
    ask(client)
    work(services, sending)
    (asked,) = post.letters
    assert client.get(link_in(asked.get_content()), headers=HTML).status_code == 200, "a look is not a yes"
    post_incident(services)
    work(services, sending)
    assert len(post.letters) == 1


def test_a_confirmed_address_is_told_once_in_its_language_and_can_stop_with_one_click(
    client: FlaskClient, services: Services, sending: Sending, post: Post
) -> None:
    link = confirmed(client, services, sending, post, **{"Accept-Language": "zh"})
    number = post_incident(services)
    work(services, sending)
    work(services, sending)
    (letter,) = post.letters
    assert letter["To"] == ADDRESS
    assert "银行卡失败。" in letter.get_content()
    assert f"http://shop.example/status/incidents/{number}" in letter.get_content()
    assert letter["List-Unsubscribe"] == f"<http://shop.example{link}/stop>"
    assert letter["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    answer = client.post(f"{link}/stop", data={"List-Unsubscribe": "One-Click"})
    assert answer.status_code == 200
    with read(services.engine) as connection:
        assert connection.execute(select(Subscriber)).all() == [], "the address is erased"
    post_incident(services)
    work(services, sending)
    assert len(post.letters) == 1


def test_the_address_is_not_readable_in_the_database(
    client: FlaskClient, services: Services, sending: Sending, post: Post
) -> None:
    confirmed(client, services, sending, post)
    with read(services.engine) as connection:
        row = connection.execute(select(Subscriber.__table__)).one()
        outbox = connection.execute(select(Outbox.payload, Outbox.key)).all()
    assert ADDRESS.encode() not in row.address_box + row.address_mark
    assert ADDRESS not in repr(outbox)
    assert Book(bytes(32)).opened(Book(services.secret).token(row.id)) is None, "a token of another installation"


def test_asking_again_tells_nobody_whether_the_address_is_known(
    client: FlaskClient, services: Services, sending: Sending, post: Post
) -> None:
    first = ask(client)
    again = ask(client, ADDRESS.upper())
    assert (first.status_code, first.get_json()) == (again.status_code, again.get_json())
    work(services, sending)
    assert len(post.letters) == 1


def test_a_stranger_cannot_make_us_flood_with_confirmations(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscribers, "MAX_ASKED_IN_AN_HOUR", 2)
    book = Book(services.secret)
    with services.engine.begin() as connection:
        for number in range(2):
            book.ask(connection, "mail", f"a{number}@example.org", "en")
        with pytest.raises(Refused, match="too_many_requests"):
            book.ask(connection, "mail", "one@more.org", "en")


def test_unconfirmed_addresses_are_forgotten(services: Services) -> None:
    book = Book(services.secret)
    with services.engine.begin() as connection:
        book.ask(connection, "mail", ADDRESS, "en")
        assert subscribers.forget_unconfirmed(connection) == 0
        connection.execute(update(Subscriber).values(asked_ms=now_ms(connection) - subscribers.FORGET_MS - 1))
        assert subscribers.forget_unconfirmed(connection) == 1


@pytest.mark.parametrize("address", ["", "ada", "ada@", "a@b@c", "a b@c.de", "ada@ex\nBcc: x@y.z", "x" * 255 + "@y.de"])
def test_what_is_no_address_is_refused(client: FlaskClient, address: str) -> None:
    answer = ask(client, address)
    assert (answer.status_code, answer.get_json()["code"]) == (422, "bad_address")


def test_a_cut_or_forged_link_opens_nothing(client: FlaskClient, services: Services) -> None:
    with services.engine.begin() as connection:
        found, _new = Book(services.secret).ask(connection, "mail", ADDRESS, "en")
    token = Book(services.secret).token(found)
    for wrong in (token[:-1], token[:-2] + "AA", "x", token + "A", "é"):
        assert client.post(f"/subscriptions/{wrong}").status_code == 404
    assert client.post("/subscriptions/%00").status_code == 422
    assert client.post(f"/subscriptions/{token}").status_code == 303


def test_a_mail_server_that_is_away_delays_the_letter_and_loses_none(
    client: FlaskClient, services: Services, sending: Sending, post: Post
) -> None:
    confirmed(client, services, sending, post)
    post.refuses = True
    post_incident(services)
    work(services, sending)
    assert post.letters == []
    post.refuses = False
    with services.engine.begin() as connection:
        row = connection.execute(select(Outbox.__table__).where(Outbox.topic == "notice.send")).one()
        assert (row.state, row.attempts) == ("waiting", 1)
        assert row.due_ms > now_ms(connection)
        assert ADDRESS not in row.error
        connection.execute(update(Outbox).values(due_ms=0))
    work(services, sending)
    assert len(post.letters) == 1


def test_a_letter_whose_sending_was_not_written_down_goes_again_under_the_same_id(
    client: FlaskClient, services: Services, sending: Sending, post: Post
) -> None:
    confirmed(client, services, sending, post)
    post_incident(services)
    while spread(services.engine):
        pass

    def lost(item: Item) -> None:
        sending.send(item)
        raise NotSentError("killed")

    send_due(services.engine, lost, OF_INCIDENTS)
    with services.engine.begin() as connection:
        connection.execute(update(Outbox).values(due_ms=0))
    work(services, sending)
    assert len(post.letters) == 2
    assert len({letter["Message-ID"] for letter in post.letters}) == 1


def test_one_letter_that_breaks_the_sender_stops_no_other(
    client: FlaskClient, services: Services, sending: Sending, post: Post
) -> None:
    confirmed(client, services, sending, post)
    post_incident(services)

    def breaks(item: Item) -> None:
        if item.topic == ALERT:
            raise RuntimeError("a mistake of ours")
        sending.send(item)

    while spread(services.engine):
        pass
    send_due(services.engine, breaks, OF_INCIDENTS)
    assert len(post.letters) == 1


def hooked(client: FlaskClient, services: Services, sending: Sending, hook: Hook) -> str:
    secret = ask(client, hook.url, "webhook").get_json()["secret"]
    work(services, sending)
    return str(secret)


def test_a_webhook_is_signed_keyed_and_told_of_everything(
    client: FlaskClient, services: Services, sending: Sending, hook: Hook
) -> None:
    secret = hooked(client, services, sending, hook)
    assert hook.bodies()[0]["type"] == "subscription.confirm"
    number = post_incident(services)
    work(services, sending)
    headers, body = hook.got[-1]
    assert hook.bodies()[-1]["type"] == "incident.opened"
    assert hook.bodies()[-1]["incident"]["id"] == number
    key = base64.b64decode(secret.removeprefix("whsec_"))
    expected = webhook.signature(key, headers["webhook-id"], int(headers["webhook-timestamp"]), body)
    assert headers["webhook-signature"] == expected
    assert webhook.signature(key, headers["webhook-id"], int(headers["webhook-timestamp"]), body + b" ") != expected


def test_a_webhook_that_fails_is_tried_again_under_the_same_id_and_given_up_in_the_end(
    client: FlaskClient, services: Services, sending: Sending, hook: Hook
) -> None:
    hooked(client, services, sending, hook)
    hook.status = 500
    post_incident(services)
    for _ in range(MAX_ATTEMPTS):
        work(services, sending)
        with services.engine.begin() as connection:
            connection.execute(update(Outbox).where(Outbox.state == "waiting").values(due_ms=0))
    ids = {headers["webhook-id"] for headers, _body in hook.got[1:]}
    assert len(ids) == 1
    with read(services.engine) as connection:
        assert connection.scalar(select(Outbox.state).where(Outbox.topic == "notice.send")) == "failed"


def test_a_webhook_that_does_not_repeat_the_challenge_is_not_subscribed(
    client: FlaskClient, services: Services, sending: Sending, hook: Hook
) -> None:
    hook.echoes = False
    hooked(client, services, sending, hook)
    post_incident(services)
    work(services, sending)
    assert [body["type"] for body in hook.bodies()] == ["subscription.confirm"]


@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated")  # by one of apprise's hundred services
def test_operators_are_told_over_whatever_service_apprise_knows(services: Services, hook: Hook) -> None:
    place = hook.url.replace("http://", "json://").partition("?")[0]
    told = Sending(services.engine, dataclasses.replace(services.settings, alert_urls=(place,)), Book(services.secret))
    number = post_incident(services)
    work(services, told)
    assert [f"/status/incidents/{number}" in body["message"] for body in hook.bodies()] == [True]


def test_from_fault_to_report_a_subscriber_hears_it_all(
    client: FlaskClient, services: Services, sending: Sending, post: Post, hook: Hook
) -> None:
    confirmed(client, services, sending, post)
    hooked(client, services, sending, hook)
    watcher = Watcher(
        services.engine,
        services.settings.data_dir,
        services.settings.signer_socket,
        services.clock,
        "w",
        enqueue,
    )
    with services.engine.begin() as connection:
        opened = now_ms(connection) - 60_000
        connection.execute(insert(Diagnosis).values(kind="unreachable", detail={}, opened_ms=opened))
    watcher.look()
    work(services, sending)
    assert any("does not answer" in letter.get_content() for letter in post.letters)
    with services.engine.begin() as connection:
        chain = connection.scalar(select(Incident.id).where(Incident.component == "chain"))
        assert chain is not None
        closed = incident_store.close(connection, chain, now_ms(connection) - CLOSE_AFTER_MS)
        enqueue(connection, [closed])
    assert write_reports(services.engine, lambda: None) == 1
    assert write_reports(services.engine, lambda: None) == 0
    work(services, sending)
    report = next(one for one in hook.bodies() if one["type"] == "incident.reported")["incident"]["report"]
    assert report["problems"] == []
    assert 50 <= report["seconds"] <= 600
    assert any("Nothing was lost" in letter.get_content() for letter in post.letters)
    assert "Nothing was lost" in client.get(f"/status/incidents/{chain}", headers=HTML).text
