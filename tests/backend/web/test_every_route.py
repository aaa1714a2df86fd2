"""Every route of the application, as a stranger, another buyer and each role of the desk, at what is somebody else's.

The routes come from the application itself. One that says nowhere whom it opens for fails here. The desk's own doors
are tried in `desk/test_doors.py`; here it is only asked what its pages tell whom of a buyer.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any
from uuid import UUID, uuid4

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.test import TestResponse

from backend.app import create_app
from backend.db.tables.orders import Order, Ticket, Waiter
from backend.desk.roles import ROLES, may
from backend.wiring import Services
from tests.support.buyer import new_key
from tests.support.desk import at_desk, post
from tests.support.forms import HTML, token_of
from tests.support.shop import put_on_sale

NAME, MAIL = "Quillonia Zephyrbottom", "quillonia@victims.example"
REFUSED = (401, 403, 404)


class Door(Enum):
    """Whom a route opens for."""

    OPEN = auto()  # everybody, and it tells of nobody
    OWN = auto()  # everybody, with what this browser has of its own
    ORDER = auto()  # who has the order's secret, or the cookie with it
    PLACE = auto()  # who has the secret of the place in line, or the cookie with it
    GATE = auto()  # an enrolled gate of the event
    LINK = auto()  # who has the token of the link that was mailed
    PROVIDER = auto()  # the payment provider, by its signature
    SIGNER = auto()  # the signer decides (tests/backend/credentials)
    TOKEN = auto()  # open here; in production with a token (tests/backend/web/test_probes.py)


DOORS = {
    "GET /": Door.OPEN,
    "GET /<any(wallet, gate):name>": Door.OPEN,
    "GET /<any(wallet, gate):name>-worker.js": Door.OPEN,
    "GET /<any(wallet, gate):name>/<any(en, zh):language>": Door.OPEN,
    "GET /<any(wallet, gate):name>/<any(en, zh):language>.webmanifest": Door.OPEN,
    "GET /api/v1/events": Door.OPEN,
    "POST /api/v1/events/<event>/admissions": Door.GATE,
    "GET /api/v1/events/<event>/bundle": Door.GATE,
    "GET /api/v1/events/<slug>": Door.OPEN,
    "POST /api/v1/events/<slug>/orders": Door.OPEN,
    "POST /api/v1/events/<slug>/orders/find": Door.OPEN,  # tells the signature's owner of theirs (test_finding.py)
    "POST /api/v1/events/<slug>/waiting-list": Door.OPEN,
    "POST /api/v1/events/<slug>/waiting-room": Door.OPEN,
    "GET /api/v1/events/<slug>/waiting-room": Door.OPEN,
    "GET /api/v1/keys": Door.OPEN,
    "GET /api/v1/orders/<uuid:order_id>": Door.ORDER,
    "DELETE /api/v1/orders/<uuid:order_id>": Door.ORDER,
    "POST /api/v1/orders/<uuid:order_id>/extension": Door.ORDER,
    "POST /api/v1/orders/<uuid:order_id>/payments": Door.ORDER,
    "POST /api/v1/orders/<uuid:order_id>/refunds": Door.ORDER,
    "GET /api/v1/status": Door.OPEN,
    "GET /api/v1/status/history": Door.OPEN,
    "GET /api/v1/status/incidents/<int:number>": Door.OPEN,
    "GET /api/v1/status/stream": Door.OPEN,
    "POST /api/v1/subscriptions": Door.OPEN,
    "POST /api/v1/tickets/<uuid:ticket_id>/credential": Door.SIGNER,
    "POST /api/v1/tickets/<uuid:ticket_id>/claims": Door.ORDER,
    "POST /api/v1/tickets/<uuid:ticket_id>/moves": Door.SIGNER,  # by the holder's signature (sales/test_moving.py)
    "GET /api/v1/waiting-list/<uuid:waiter_id>": Door.PLACE,
    "DELETE /api/v1/waiting-list/<uuid:waiter_id>": Door.PLACE,
    "GET /banner": Door.OPEN,
    "GET /events/<slug>": Door.OWN,
    "POST /events/<slug>": Door.OWN,
    "GET /events/<slug>/seats": Door.OPEN,
    "GET /events/<slug>/waiting": Door.OWN,
    "POST /events/<slug>/waiting": Door.OWN,
    "POST /events/<slug>/waiting-list": Door.OWN,
    "GET /gate/decoder.js": Door.OPEN,
    "GET /healthz": Door.OPEN,
    "GET /language/<language>": Door.OPEN,
    "GET /metrics": Door.TOKEN,
    "GET /openapi.json": Door.OPEN,
    "GET /orders": Door.OWN,
    "POST /orders": Door.OWN,
    "POST /orders/code": Door.OWN,
    "GET /orders/<uuid:order_id>": Door.ORDER,
    "POST /orders/<uuid:order_id>/extend": Door.ORDER,
    "GET /orders/<uuid:order_id>/give": Door.ORDER,
    "POST /orders/<uuid:order_id>/give": Door.ORDER,
    "GET /orders/<uuid:order_id>/paid": Door.ORDER,
    "POST /orders/<uuid:order_id>/pay": Door.ORDER,
    "POST /orders/<uuid:order_id>/pay/on": Door.ORDER,
    "POST /orders/<uuid:order_id>/pay/stop": Door.ORDER,
    "GET /orders/<uuid:order_id>/progress": Door.ORDER,
    "GET /orders/<uuid:order_id>/refund": Door.ORDER,
    "POST /orders/<uuid:order_id>/refund": Door.ORDER,
    "POST /orders/<uuid:order_id>/release": Door.ORDER,
    "GET /orders/<uuid:order_id>/stream": Door.ORDER,
    "POST /payments/<provider>/notify": Door.PROVIDER,
    "GET /readyz": Door.OPEN,
    "GET /static/<path:path>": Door.OPEN,
    "GET /status": Door.OPEN,
    "GET /status/incidents/<int:number>": Door.OPEN,
    "GET /status/stream": Door.OPEN,
    "POST /status/subscribe": Door.OPEN,
    "GET /subscriptions/<token>": Door.LINK,
    "POST /subscriptions/<token>": Door.LINK,
    "POST /subscriptions/<token>/stop": Door.LINK,
    "GET /subscriptions/<token>/stop": Door.OPEN,  # leads to the page before it
    "GET /terms": Door.OPEN,
    "GET /waiting-list/<uuid:waiter_id>": Door.PLACE,
    "POST /waiting-list/<uuid:waiter_id>/leave": Door.PLACE,
    "GET /wallet/orders": Door.OWN,
    # what these do makes the secret another one, so they are tried last
    "POST /orders/<uuid:order_id>/renew": Door.ORDER,
    "POST /api/v1/orders/<uuid:order_id>/secret": Door.ORDER,
}
BODIES: dict[str, dict[str, Any]] = {  # what the API would take, so that nothing but the door refuses it
    "POST /api/v1/orders/<uuid:order_id>/extension": {"until": "2030-01-01T00:00:00Z"},
    "POST /api/v1/orders/<uuid:order_id>/payments": {"method": "sandbox", "token": "approve"},
    "POST /api/v1/tickets/<uuid:ticket_id>/claims": {"to": "0x" + "12" * 20},
    "POST /api/v1/events/<event>/admissions": {"log": "0" * 32, "from": 0, "head": "0" * 64, "records": []},
}
FIXED = {"slug": "gig", "event": "gig", "token": "made-up", "number": "1", "name": "wallet", "language": "en"} | {
    "provider": "sandbox",
    "path": "truestub.css",
}


@dataclass(frozen=True)
class Victim:
    """Somebody with tickets and with places in line, and what opens them."""

    browser: FlaskClient
    secrets: dict[Door, str]
    values: dict[str, str]
    api_place: str

    def path(self, rule: str) -> str:
        values = {**FIXED, **self.values, **({"waiter_id": self.api_place} if "/api/" in rule else {})}
        return re.sub(r"<(?:[^:<>]+:)?([^<>]+)>", lambda found: values[found[1]], rule).partition(" ")[2]

    def private(self) -> list[str]:
        return [NAME, MAIL, *self.secrets.values(), *self.values.values()]


@pytest.fixture
def victim(app: Flask, services: Services) -> Victim:
    put_on_sale(services.engine, floor=2, slug="full")
    browser = app.test_client()
    orders = {}
    for slug in ("full", "gig"):
        held = post(browser, f"/events/{slug}", f"/events/{slug}", form=slug, **{"quantity-floor": "2"})
        orders[slug] = held.headers["Location"]
        fields = {"form": "pay", "method": "sandbox", "token": "approve", "mail": MAIL, "name": NAME}
        assert post(browser, f"{orders[slug]}/pay", orders[slug], **fields).status_code == 303
    order_id = orders["gig"].rpartition("/")[2]
    told = {one["order_id"]: one["order_secret"] for one in browser.get("/wallet/orders").get_json()["orders"]}
    line = {"class": "floor", "quantity": 1}
    placed = browser.post(
        "/api/v1/events/full/waiting-list", json=line, headers={"Idempotency-Key": new_key()}
    ).get_json()
    joined = post(browser, "/events/full/waiting-list", "/events/full", **line)
    with services.engine.connect() as connection:
        ticket = connection.scalars(select(Ticket.id).where(Ticket.order_id == UUID(order_id)).limit(1)).one()
    return Victim(
        browser,
        {Door.ORDER: told[order_id], Door.PLACE: placed["waiter_secret"]},
        {"order_id": order_id, "ticket_id": str(ticket), "waiter_id": joined.headers["Location"].rpartition("/")[2]},
        placed["waiter_id"],
    )


@pytest.fixture
def app(services: Services) -> Flask:
    return create_app(services)


def routes(app: Flask, prefix: str = "") -> Iterator[str]:
    """Method and rule of every route, or of those of one blueprint."""
    for rule in app.url_map.iter_rules():
        if rule.endpoint.startswith(prefix):
            for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
                yield f"{method} {rule.rule}"


def send(client: FlaskClient, victim: Victim, route: str, secret: str = "", token: str = "") -> TestResponse:
    """What the route takes, complete but for what opens it. `token`: of this browser's forms."""
    method, path = route.partition(" ")[0], victim.path(route)
    if "/api/" in route:
        headers = {"Idempotency-Key": new_key(), **({"Authorization": f"Bearer {secret}"} if secret else {})}
        body = BODIES.get(route, {}) if method == "POST" else None
        return client.open(path, method=method, headers=headers, json=body)
    return client.open(path, method=method, headers=HTML, data={"csrf_token": token} if method == "POST" else None)


def form_token(client: FlaskClient) -> str:
    """What this browser's forms carry."""
    return token_of(client.get("/events/gig", headers=HTML).text)


def stored(services: Services, victim: Victim) -> list[Any]:
    """All that the database has of the victim's order and places."""
    order_id = UUID(victim.values["order_id"])
    places = [UUID(victim.api_place), UUID(victim.values["waiter_id"])]
    with services.engine.connect() as connection:
        return [
            *connection.execute(select(Order.__table__).where(Order.id == order_id)),
            *connection.execute(select(Ticket.__table__).where(Ticket.order_id == order_id).order_by(Ticket.id)),
            *connection.execute(select(Waiter.__table__).where(Waiter.id.in_(places)).order_by(Waiter.id)),
        ]


def tells(answer: TestResponse, victim: Victim) -> list[str]:
    """What of the victim's is in the answer; a stream's first lines would come only later, and it is not waited for."""
    if answer.mimetype == "text/event-stream":
        answer.close()
        return []
    text = answer.text + str(answer.headers)
    return [one for one in victim.private() if one in text]


def strangers(app: Flask, services: Services) -> Iterator[tuple[str, FlaskClient, str]]:
    """Who they are, their browser, and a secret they have for something of their own."""
    yield "stranger", app.test_client(), ""
    other = app.test_client()
    held = post(other, "/events/gig", "/events/gig", form="other", **{"quantity-floor": "1"}).headers["Location"]
    pay = {"form": "pay", "method": "sandbox", "token": "approve"}
    assert post(other, f"{held}/pay", held, **pay).status_code == 303
    yield "other buyer", other, other.get("/wallet/orders").get_json()["orders"][0]["order_secret"]
    for role in ROLES:
        person = at_desk(app, services, role)
        cookie = person.get_cookie("desk", path="/desk")
        assert cookie is not None
        person.set_cookie("desk", cookie.value)  # sent everywhere, as no browser would
        yield role, person, cookie.value


def test_every_route_says_whom_it_opens_for(app: Flask) -> None:
    here = set(routes(app)) - set(routes(app, "desk."))
    assert here == set(DOORS), "declare in DOORS whom the new route opens for"


def test_nobody_opens_or_changes_what_is_anothers(app: Flask, services: Services, victim: Victim) -> None:
    before = stored(services, victim)
    for who, client, secret in strangers(app, services):
        token = form_token(client)
        for route, door in DOORS.items():
            answer = send(client, victim, route, secret, token)
            assert answer.status_code < 500 or door is Door.SIGNER or "ready" in answer.text, (who, route, answer.text)
            if door in (Door.ORDER, Door.PLACE, Door.GATE, Door.LINK):
                assert answer.status_code in REFUSED, (who, route, answer.status_code, answer.text)
            if door is Door.PROVIDER:
                assert answer.status_code >= 400, (who, route)
            if answer.status_code != 303:  # where a redirect leads is its own route
                assert tells(answer, victim) in ([], _echoed(answer, victim)), (who, route)
    assert stored(services, victim) == before


def test_who_has_the_secret_gets_in_so_nothing_but_the_door_kept_others_out(victim: Victim) -> None:
    token = form_token(victim.browser)
    for route, door in DOORS.items():
        if door in (Door.ORDER, Door.PLACE):
            answer = send(victim.browser, victim, route, victim.secrets[door], token)
            assert answer.status_code not in (400, *REFUSED), (route, answer.status_code, answer.text)
            answer.close()


def test_a_secret_opens_its_own_only(app: Flask, services: Services, victim: Victim) -> None:
    """Nor a place in line by an order's secret, nor the API by a cookie, nor what does not exist."""
    before = stored(services, victim)
    crossed = {Door.ORDER: victim.secrets[Door.PLACE], Door.PLACE: victim.secrets[Door.ORDER]}
    nobodys = Victim(app.test_client(), {}, dict.fromkeys(victim.values, str(uuid4())), str(uuid4()))
    for route, door in DOORS.items():
        if "/api/" in route and door in crossed:
            assert send(app.test_client(), victim, route, crossed[door]).status_code in REFUSED, route
            assert send(app.test_client(), nobodys, route, victim.secrets[door]).status_code in REFUSED, route
            assert send(victim.browser, victim, route).status_code == 401, f"{route}: a cookie opens no API (CSRF)"
    assert stored(services, victim) == before


def test_no_form_of_another_site_does_anything(app: Flask, services: Services, victim: Victim) -> None:
    before = stored(services, victim)
    links = {route for route, door in DOORS.items() if door in (Door.LINK, Door.PROVIDER)}
    tried = [one for one in DOORS if one.startswith("POST") and "/api/" not in one and one not in links]
    assert len(tried) > 10
    for route in tried:
        for fields in (None, {"csrf_token": "made-up"}):
            answer = victim.browser.post(victim.path(route), headers=HTML, data=fields)
            assert answer.status_code == 400, (route, answer.status_code)
    assert stored(services, victim) == before


def test_the_desk_names_buyers_only_to_those_who_may_see_them(app: Flask, services: Services, victim: Victim) -> None:
    known = {"name": "nobody", "refund_id": str(uuid4()), "passkey": str(uuid4())}
    here = Victim(victim.browser, victim.secrets, {**victim.values, **known}, victim.api_place)
    pages = [route for route in routes(app, "desk.") if route.startswith("GET")]
    for role in ROLES:
        client, naming = at_desk(app, services, role), []
        for route in pages:
            answer = client.get(here.path(route), headers=HTML)
            assert answer.status_code in (200, 303, 403, 404), (role, route)
            assert victim.secrets[Door.ORDER] not in answer.text, (role, route)
            naming += [route] * (NAME in answer.text or MAIL in answer.text)
        assert bool(naming) == may(role, "see_buyers"), (role, naming)


def _echoed(answer: TestResponse, victim: Victim) -> list[str]:
    """A page may repeat the address it was asked for, to lead back to it in another language."""
    asked = [one for one in victim.values.values() if one in answer.request.path]
    return [one for one in victim.private() if one in asked]
