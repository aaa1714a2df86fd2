"""Who gets into the desk and who does not: every route, as a stranger and in every role."""

import re
from collections.abc import Iterator
from uuid import uuid4

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from backend.app import create_app
from backend.db.clock import now_ms
from backend.db.tables.desk import DeskAccount
from backend.desk.roles import PERMISSIONS, ROLES, may
from backend.desk.sessions import IDLE_SECONDS
from backend.desk.throttle import FREE_ATTEMPTS
from backend.web.desk.guard import OPEN
from backend.web.desk.sign_in import wanted
from backend.wiring import Services
from tests.support.desk import PASSWORD, at_desk, code_of, enter, hire, post
from tests.support.forms import HTML

VALUES = {"slug": "gig", "name": "nobody"} | {
    one: str(uuid4()) for one in ("order_id", "ticket_id", "refund_id", "waiter_id", "passkey")
}


def routes(app: Flask) -> Iterator[tuple[str, str, str]]:
    """Method, address and permission of every route of the desk."""
    for rule in app.url_map.iter_rules():
        if rule.endpoint.startswith("desk."):
            view = app.view_functions[rule.endpoint]
            path = re.sub(r"<(?:[^:<>]+:)?([^<>]+)>", lambda found: VALUES[found[1]], rule.rule)
            for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
                yield method, path, getattr(view, "desk_permission", "")


def test_every_route_of_the_desk_names_who_may(app: Flask) -> None:
    found = list(routes(app))
    assert len(found) > 10
    assert {permission for _method, _path, permission in found} <= {*PERMISSIONS, OPEN}


@pytest.mark.parametrize("cookie", ["", "desk=made-up", "order-x=made-up"])
def test_a_stranger_gets_nowhere(app: Flask, cookie: str) -> None:
    client = app.test_client()
    for method, path, permission in routes(app):
        answer = client.open(path, method=method, headers={**HTML, "Cookie": cookie})
        if permission == OPEN:
            continue
        if method == "GET":
            assert answer.status_code == 303, path
            assert answer.headers["Location"].startswith("/desk/sign-in"), path
        else:
            assert answer.status_code == 401, (method, path)


@pytest.mark.parametrize("role", ROLES)
def test_a_role_opens_its_own_doors_only(app: Flask, services: Services, role: str) -> None:
    client = at_desk(app, services, role)
    for method, path, permission in routes(app):
        if permission == OPEN:
            continue
        answer = client.open(path, method=method, headers=HTML)  # without a form's token: nothing is done
        if not may(role, permission):
            assert answer.status_code == 403, (role, method, path)
        elif method == "GET":
            assert answer.status_code in (200, 303, 404), (role, path, answer.text)
        else:
            assert answer.status_code == 400, (role, method, path)


def test_a_forged_form_does_nothing(app: Flask, services: Services) -> None:
    client = at_desk(app, services, "owner")
    fields = {"name": "berta", "role": "owner", "password": PASSWORD, "csrf_token": "made-up"}
    assert client.post("/desk/people", data=fields, headers=HTML).status_code == 400
    assert "berta" not in client.get("/desk/people", headers=HTML).text


def test_signing_in_needs_name_password_and_code(client: FlaskClient, services: Services) -> None:
    made = hire(services)
    for name, password, code in (
        ("nobody", PASSWORD, code_of(made)),
        (made.name, "another password", code_of(made)),
        (made.name, PASSWORD, "000000" if code_of(made) != "000000" else "000001"),
        (made.name, PASSWORD, ""),
    ):
        answer = enter(client, name, password, code)
        assert answer.status_code == 401
        assert "is wrong" in answer.text
        assert PASSWORD not in answer.text
    answer = enter(client, made.name, PASSWORD, code_of(made))
    assert (answer.status_code, answer.headers["Location"]) == (303, "/desk")
    cookie = next(one for one in answer.headers.getlist("Set-Cookie") if one.startswith("desk="))
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert client.get("/desk", headers=HTML).status_code == 200


def test_a_code_seen_over_the_shoulder_opens_nothing_again(client: FlaskClient, services: Services) -> None:
    made = hire(services)
    code = code_of(made)
    assert enter(client, made.name, PASSWORD, code).status_code == 303
    other = create_app(services).test_client()
    assert enter(other, made.name, PASSWORD, code).status_code == 401
    assert enter(other, made.name, PASSWORD, code_of(made, 1)).status_code == 303


def test_guessing_passwords_is_slowed_down(client: FlaskClient, services: Services) -> None:
    made = hire(services)
    answers = [enter(client, made.name, f"guess number {number}", "000000") for number in range(FREE_ATTEMPTS + 1)]
    assert [one.status_code for one in answers] == [401] * FREE_ATTEMPTS + [429]
    assert enter(client, made.name, PASSWORD, code_of(made)).status_code == 429  # the right one has to wait as well


def test_signing_in_leads_to_no_other_site() -> None:
    for target in ("https://evil.example", "//evil.example", "/deskevil", "/desk/\\evil", "/orders", "/desk/a\nb"):
        assert wanted(target) == "/desk"
    assert wanted("/desk/people") == "/desk/people"


def test_signing_out_ends_the_session_for_whoever_copied_the_cookie(app: Flask, services: Services) -> None:
    client = at_desk(app, services, "owner")
    cookie = client.get_cookie("desk", path="/desk")
    assert cookie is not None
    assert post(client, "/desk/sign-out", "/desk/account").status_code == 303
    thief = app.test_client()
    thief.set_cookie("desk", cookie.value, path="/desk")
    assert thief.get("/desk", headers=HTML).status_code == 303


def test_an_idle_session_ends(app: Flask, services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    client = at_desk(app, services, "owner")
    assert client.get("/desk", headers=HTML).status_code == 200
    monkeypatch.setattr("backend.desk.sessions.now_ms", lambda one: now_ms(one) + IDLE_SECONDS * 1000 + 1000)
    assert client.get("/desk", headers=HTML).status_code == 303


def test_a_closed_account_is_out_at_once(app: Flask, services: Services) -> None:
    boss, made = at_desk(app, services, "owner"), hire(services, "finance", "berta")
    client = app.test_client()
    assert enter(client, "berta", PASSWORD, code_of(made)).status_code == 303
    assert post(boss, "/desk/people/berta/close", "/desk/people").status_code == 303
    assert client.get("/desk", headers=HTML).status_code == 303
    assert enter(client, "berta", PASSWORD, code_of(made, 1)).status_code == 401


def test_the_last_owner_stays(app: Flask, services: Services) -> None:
    boss = hire(services, "owner", "anna")
    client = app.test_client()
    enter(client, "anna", PASSWORD, code_of(boss))
    post(client, "/desk/people/anna/close", "/desk/people")
    assert "last owner" in client.get("/desk/people", headers=HTML).text
    assert client.get("/desk/people", headers=HTML).status_code == 200


def test_a_new_password_ends_all_sessions(app: Flask, services: Services) -> None:
    made = hire(services, "finance", "berta")
    client, other = app.test_client(), app.test_client()
    enter(client, "berta", PASSWORD, code_of(made))
    fields = {"old": PASSWORD, "new": "nine lanterns on the bridge", "code": code_of(made, 1)}
    assert post(client, "/desk/account", "/desk/account", **fields).status_code == 303
    assert client.get("/desk", headers=HTML).status_code == 303
    assert enter(other, "berta", PASSWORD, code_of(made)).status_code == 401


def test_adding_somebody_shows_the_second_factor_once_and_is_logged(app: Flask, services: Services) -> None:
    client = at_desk(app, services, "owner")
    fields = {"name": "berta", "role": "box_office", "password": PASSWORD}
    answer = post(client, "/desk/people", "/desk/people", **fields)
    key = re.search(r"<code>([A-Z2-7]{32})</code>", answer.text)
    assert key is not None
    assert key[1] not in client.get("/desk/people", headers=HTML).text
    assert "account:berta" in client.get("/desk/audit", headers=HTML).text
    assert post(client, "/desk/people", "/desk/people", **fields).status_code == 409


def test_passwords_and_keys_are_not_readable_in_the_database(services: Services) -> None:
    made = hire(services)
    with services.engine.connect() as connection:
        row = connection.execute(select(DeskAccount).where(DeskAccount.name == made.name)).one()
    assert row.password_hash.startswith("$argon2id$")
    assert made.key.encode() not in row.totp_key
