"""People at the organiser's desk, signed in as an app and a browser would, or put there at once."""

import secrets
import time

import pyotp
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.test import TestResponse

from backend.db.tables.desk import DeskAccount
from backend.desk.accounts import SetUp, add_account
from backend.desk.sessions import open_session
from backend.wiring import Services
from tests.support.forms import HTML, token_of

PASSWORD = "seven lanterns over the river"


def hire(services: Services, role: str = "owner", name: str = "") -> SetUp:
    """An account with the test's password."""
    name = name or f"{role.replace('_', '-')}-{secrets.token_hex(3)}"
    return add_account(services.engine, services.secret, "command line", name, role, PASSWORD)


def at_desk(app: Flask, services: Services, role: str) -> FlaskClient:
    """A browser that is signed in with the role."""
    made, token = hire(services, role), secrets.token_urlsafe(32)
    with services.engine.begin() as connection:
        account = connection.execute(select(DeskAccount.id).where(DeskAccount.name == made.name)).scalar_one()
        open_session(connection, account, token)
    client = app.test_client()
    client.set_cookie("desk", token, path="/desk")
    return client


def code_of(made: SetUp, steps_later: int = 0) -> str:
    """What the app shows, now or so many steps later."""
    return pyotp.TOTP(made.key).at(time.time() + 30 * steps_later)


def post(client: FlaskClient, path: str, page: str = "/desk", **fields: object) -> TestResponse:
    """Send a form as the page at `page` would."""
    token = token_of(client.get(page, headers=HTML).text)
    return client.post(path, data={"csrf_token": token, **fields}, headers=HTML)


def enter(client: FlaskClient, name: str, password: str, code: str, **more: object) -> TestResponse:
    """Sign in by form."""
    return post(client, "/desk/sign-in", "/desk/sign-in", name=name, password=password, code=code, **more)
