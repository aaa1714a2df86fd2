"""Every buyers' route and every route of the API, as a stranger, as another buyer and as the buyer: IDOR and CSRF.

The routes come from the application. One that says nothing here of who may open it fails the first test.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID, uuid4

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import update

from backend.app import create_app
from backend.db.models import Event
from backend.wiring import Services
from tests.support.buyer import Buyer, new_key
from tests.support.desk import post
from tests.support.embedded import embedded_shop
from tests.support.forms import HTML

# Who opens a route. `all`: everybody, and it shows nothing that is anybody's. `form`: everybody, by a form of ours.
# `secret`: who has the secret of the order, ticket or place. `cookie`: the browser that bought. `proof`: a signature
# or a token in the request itself. `gate`: an enrolled gate. `signer`: who has the secret, as the
# signer's process judges (tests/backend/credentials/test_issuing.py); here there is none, so nothing opens it at all.
KINDS = {
    "all": """events.events events.event gates.keys openapi.spec probes.healthz probes.readyz probes.metrics
        status.status status.history status.incident status.stream
        apps.entry apps.page apps.worker apps.manifest apps.decoder apps.send_static
        pages.events pages.event pages.seats pages.waiting pages.terms pages.switch pages.mine pages.hand_over
        orders.create_order waiting_room.join waiting_list.join subscriptions.subscribe""",
    "form": "pages.choose pages.join pages.join_list pages.open_receipt pages.ask_code pages.ask_by_form",
    "secret": """orders.read_order orders.release_order orders.extend_hold orders.pay_order orders.renew_secret
        refunds.give_back waiting_list.stand waiting_list.leave""",
    "cookie": """pages.order pages.came_back pages.progress pages.ask pages.stream pages.extend pages.pay_order
        pages.go_on_paying pages.stop pages.confirm pages.give_back pages.make_new_link pages.place_in_line
        pages.leave_list""",
    "proof": """finding.find waiting_room.stand payments.notify subscriptions.subscription subscriptions.confirm
        subscriptions.stop subscriptions.ask_to_stop""",
    "gate": "gates.bundle gates.hand_over",
    "signer": "tickets.create_credential",
}
DOORS = {endpoint: kind for kind, endpoints in KINDS.items() for endpoint in endpoints.split()}
BODIES = {
    "orders.extend_hold": {"until": "2030-01-01T00:00:00Z"},
    "orders.pay_order": {"method": "sandbox", "token": "approve"},
    "refunds.give_back": {},
    "gates.hand_over": {"log": "11" * 16, "from": 0, "head": "22" * 32, "records": []},
    "tickets.create_credential": {
        "device_key": "11" * 32,
        "number": 1,
        "epoch": 0,
        "expiry": 4_000_000_000,
        "possession_signature": "22" * 64,
    },
}


@dataclass(frozen=True)
class Route:
    """A method at an address, with the ids of the buyer's own things in it."""

    endpoint: str
    method: str
    path: str


@dataclass
class Stage:
    """A buyer's order, ticket and place, and another buyer's order; each has a browser and secrets."""

    app: Flask
    routes: list[Route]
    buyer: FlaskClient
    other: FlaskClient
    secrets: dict[str, str]  # of the buyer's things, by the name of their id in addresses
    others_secret: str

    def of(self, *kinds: str) -> Iterator[Route]:
        yield from (one for one in self.routes if DOORS[one.endpoint] in kinds)

    def ask(self, route: Route, client: FlaskClient, secret: str = "") -> int:
        headers = {"Idempotency-Key": new_key(), **({"Authorization": f"Bearer {secret}"} if secret else {})}
        if route.path.startswith("/api/"):
            body = BODIES.get(route.endpoint)
            answer = client.open(route.path, method=route.method, json=body, headers=headers)
        else:
            answer = client.open(route.path, method=route.method, headers={**HTML, **headers})
        answer.close()
        return answer.status_code

    def secret_for(self, route: Route) -> str:
        return next(secret for thing, secret in self.secrets.items() if thing in route.path)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """One for all: who is refused changes nothing."""
    with embedded_shop(tmp_path_factory.mktemp("doors"), floor=10) as services:
        yield _made(services)


def _made(services: Services) -> Stage:
    app = create_app(services)
    mine, yours = browser_with_order(app), browser_with_order(app)
    by_api = Buyer(app.test_client())
    bought, others = by_api.bought({"class": "floor", "quantity": 7}), by_api.bought()
    with services.engine.begin() as connection:
        connection.execute(update(Event).values(refund_until_ms=Event.doors_ms))
    waits = {"class": "floor", "quantity": 1}
    assert by_api.order({"class": "floor", "quantity": 1}).status_code == 409, "sold out"
    waiter = by_api.client.post("/api/v1/events/gig/waiting-list", json=waits).get_json()
    line = post(mine, "/events/gig/waiting-list", "/orders", **waits).headers["Location"].rpartition("/")[2]
    cookie_order = re.search(r"order-([0-9a-f]{32})", str(mine._cookies))
    assert cookie_order is not None
    ticket = bought["tickets"][0]["ticket_id"]
    values = {"slug": "gig", "event": str(uuid4()), "name": "wallet", "language": "en", "provider": "sandbox"}
    values |= {"number": "1", "token": "made-up", "path": "look/style.css", "ticket_id": ticket}
    routes = []
    for rule in app.url_map.iter_rules():
        if rule.endpoint.startswith("desk."):
            continue  # tests/backend/web/desk/test_doors.py
        page = DOORS.get(rule.endpoint) == "cookie"
        ids = {
            "order_id": str(UUID(cookie_order[1])) if page else bought["order_id"],
            "waiter_id": line if page else waiter["waiter_id"],
        }
        path = re.sub(r"<(?:[^<>]+:)?([^<>:]+)>", lambda found, ids=ids: {**values, **ids}[found[1]], rule.rule)  # type: ignore[misc]
        routes += [Route(rule.endpoint, one, path) for one in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})]
    secrets = {bought["order_id"]: bought["order_secret"], ticket: bought["order_secret"]}
    secrets[waiter["waiter_id"]] = waiter["waiter_secret"]
    return Stage(app, routes, mine, yours, secrets, others["order_secret"])


def browser_with_order(app: Flask) -> FlaskClient:
    client = app.test_client()
    held = post(client, "/events/gig", "/events/gig", form=new_key(), **{"quantity-floor": "1"})
    assert held.status_code == 303
    return client


def test_every_route_says_who_may_open_it(stage: Stage) -> None:
    found = {one.endpoint for one in stage.routes}
    assert found - set(DOORS) == set(), "say in DOORS who may open it"
    assert set(DOORS) - found == set(), "is gone"
    assert len(found) > 50


def test_idor_a_stranger_opens_no_order_by_its_number(stage: Stage) -> None:
    for route in stage.of("secret"):
        assert stage.ask(route, stage.app.test_client()) == 401, route


def test_idor_another_buyers_secret_opens_nothing(stage: Stage) -> None:
    for route in stage.of("secret"):
        assert stage.ask(route, stage.app.test_client(), stage.others_secret) in (403, 404), route
        assert stage.ask(route, stage.app.test_client(), "made-up") in (403, 404), route


def test_idor_another_browsers_cookies_open_nothing(stage: Stage) -> None:
    for route in stage.of("cookie"):
        expected = {"GET": (403, 404), "POST": (400,)}[route.method]  # a form without its token is not even looked at
        assert stage.ask(route, stage.app.test_client()) in expected, route
        assert stage.ask(route, stage.other) in expected, route


def test_idor_with_a_good_form_another_browser_does_nothing_to_an_order(stage: Stage) -> None:
    for route in stage.of("cookie"):
        if route.method == "POST":
            answer = post(
                stage.other, route.path, "/events/gig", form="a", until="x", method="sandbox", token="approve"
            )
            assert answer.status_code in (403, 404), route


def test_csrf_a_forged_form_does_nothing_in_the_buyers_browser(stage: Stage) -> None:
    for route in stage.of("cookie", "form"):
        if route.method == "POST":
            forged = {"csrf_token": "made-up", "form": "a", "method": "sandbox", "token": "approve"}
            answer = stage.buyer.post(route.path, data=forged, headers=HTML)
            assert answer.status_code == 400, route


def test_csrf_the_buyers_cookies_open_no_route_of_the_api(stage: Stage) -> None:
    for route in stage.of("secret", "gate"):
        assert stage.ask(route, stage.buyer) == 401, route


def test_no_buyer_is_a_gate(stage: Stage) -> None:
    for route in stage.of("gate"):
        assert stage.ask(route, stage.app.test_client(), stage.others_secret) in (401, 403), route


def test_without_its_proof_a_route_does_nothing(stage: Stage) -> None:
    for route in stage.of("proof"):
        for client in (stage.app.test_client(), stage.buyer):
            assert 300 <= stage.ask(route, client) < 500, route


def test_without_the_signer_nobody_gets_a_credential(stage: Stage) -> None:
    for route in stage.of("signer"):
        for secret in ("", stage.others_secret, stage.secret_for(route)):
            assert stage.ask(route, stage.app.test_client(), secret) == 503, route


def test_what_is_open_to_all_holds_nobodys_secret(stage: Stage) -> None:
    for route in stage.of("all"):
        if route.method == "GET" and not route.endpoint.endswith("stream"):
            answer = stage.app.test_client().get(route.path, headers={**HTML, "Accept": "*/*"})
            assert answer.status_code < 500, route
            for thing, secret in stage.secrets.items():
                assert secret.encode() not in answer.data, route
                assert thing.encode() not in answer.data, route


def test_the_buyer_is_let_in(stage: Stage) -> None:
    for route in stage.of("secret"):
        if route.method == "GET":
            assert stage.ask(route, stage.app.test_client(), stage.secret_for(route)) == 200, route
    for route in stage.of("cookie"):
        if route.method == "GET" and route.endpoint != "pages.stream":
            assert stage.ask(route, stage.buyer) in (200, 303), route
