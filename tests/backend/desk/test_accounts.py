"""Accounts and sessions on both databases."""

import time
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pyotp
import pytest
from sqlalchemy import Engine

from backend.desk import accounts
from backend.desk.audit import Head, verify
from backend.desk.second_factor import step_of
from backend.desk.sessions import sign_in, sign_out, signed
from backend.errors import Refused

SECRET = b"s" * 32
PASSWORD = "seven lanterns over the river"


def code(key: str, steps_later: int = 0) -> str:
    return pyotp.TOTP(key).at(time.time() + 30 * steps_later)


def test_an_accounts_life(engine: Engine) -> None:
    accounts.add_account(engine, SECRET, "command line", "boss", "owner", PASSWORD)
    made = accounts.add_account(engine, SECRET, "boss", "anna", "finance", PASSWORD)
    token = sign_in(engine, SECRET, "anna", PASSWORD, code(made.key), "192.0.2.1")
    found = signed(engine, token)
    assert found is not None
    assert (found.name, found.role) == ("anna", "finance")
    with pytest.raises(Refused, match="sign_in_failed"):
        sign_in(engine, SECRET, "anna", PASSWORD, code(made.key), "192.0.2.1")  # the code is used up
    accounts.change_role(engine, SECRET, "boss", "anna", "box_office")
    assert signed(engine, token) is None
    again = sign_in(engine, SECRET, "anna", PASSWORD, code(made.key, 1), "192.0.2.1")
    sign_out(engine, again)
    assert signed(engine, again) is None
    renewed = accounts.renew_account(engine, SECRET, "boss", "anna", PASSWORD + "s")
    with pytest.raises(Refused, match="sign_in_failed"):
        sign_in(engine, SECRET, "anna", PASSWORD, code(renewed.key), "192.0.2.1")
    assert signed(engine, sign_in(engine, SECRET, "anna", PASSWORD + "s", code(renewed.key), "192.0.2.1"))
    accounts.close_account(engine, SECRET, "boss", "anna")
    with pytest.raises(Refused, match="sign_in_failed"):
        sign_in(engine, SECRET, "anna", PASSWORD + "s", code(renewed.key, 1), "192.0.2.1")
    with pytest.raises(Refused, match="account_exists"):
        accounts.add_account(engine, SECRET, "boss", "anna", "finance", PASSWORD)
    head = verify(engine, SECRET)
    assert isinstance(head, Head)
    assert head.number == 8


@pytest.mark.parametrize(
    ("name", "role", "password", "refused"),
    [
        ("Anna", "owner", PASSWORD, "bad_account_name"),
        ("anna;drop", "owner", PASSWORD, "bad_account_name"),
        ("anna", "admin", PASSWORD, "unknown_role"),
        ("anna", "owner", "short", "weak_password"),
        ("anna", "owner", "aaaaaaaaaaaaaaaa", "weak_password"),
        ("anna", "owner", "my name is anna!", "weak_password"),
    ],
)
def test_a_bad_account_is_refused(name: str, role: str, password: str, refused: str) -> None:
    with pytest.raises(Refused, match=refused):
        accounts.add_account(None, SECRET, "boss", name, role, password)  # type: ignore[arg-type] # never asked


def test_one_code_opens_one_session_however_many_use_it_at_once(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Eight who watched the same six digits, all judged before anybody's use of them is written down."""
    monkeypatch.setattr("backend.desk.throttle.FREE_ATTEMPTS", 100)
    monkeypatch.setattr("backend.desk.passwords.PASSES", 1)
    monkeypatch.setattr("backend.desk.passwords.MEMORY_BYTES", 8192)
    made = accounts.add_account(engine, SECRET, "command line", "boss", "owner", PASSWORD)
    tokens = _at_once(engine, made.key, monkeypatch)
    assert len(tokens) == 1
    assert signed(engine, tokens[0])


def _at_once(engine: Engine, key: str, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The sessions that eight sign-ins by one code get; each waits until the code of all is found right."""
    found_right, digits = Barrier(8, timeout=20), code(key)

    def step_when_all_came(*given: Any) -> int | None:
        step = step_of(*given)
        found_right.wait()
        return step

    def try_once(number: int) -> str | None:
        try:
            return sign_in(engine, SECRET, "boss", PASSWORD, digits, f"192.0.2.{number}")
        except Refused as refused:
            assert refused.refusal.code == "sign_in_failed"  # noqa: PT017 - the one expected refusal
            return None

    monkeypatch.setattr("backend.desk.sessions.step_of", step_when_all_came)
    with ThreadPoolExecutor(8) as pool:
        return [token for token in pool.map(try_once, range(8)) if token]
