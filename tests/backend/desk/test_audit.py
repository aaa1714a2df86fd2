"""The audit log: what is written stays written, and whoever alters it is found."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from backend.desk.audit import Broken, Head, append, latest, note, verify

SECRET = b"s" * 32


@pytest.fixture
def written(engine: Engine) -> Engine:
    for number in range(5):
        note(engine, SECRET, "anna", "refund", f"order:{number}", amount_minor=100 * number)
    return engine


def unguard(engine: Engine) -> None:
    """What an attacker with all rights to the database does first."""
    with engine.begin() as connection:
        if connection.dialect.name == "sqlite":
            connection.execute(text("DROP TRIGGER audit_log_no_update"))
            connection.execute(text("DROP TRIGGER audit_log_no_delete"))
        else:
            connection.execute(text("DROP TRIGGER audit_log_no_change ON audit_log"))


@pytest.mark.parametrize(
    "change",
    ["UPDATE audit_log SET actor = 'berta'", "DELETE FROM audit_log", "DELETE FROM audit_log WHERE number = 5"],
)
def test_the_database_refuses_to_change_the_log(written: Engine, change: str) -> None:
    with pytest.raises(DBAPIError, match="append-only"), written.begin() as connection:
        connection.execute(text(change))
    assert isinstance(verify(written, SECRET), Head)


def test_truncating_is_refused_too(postgres_engine: Engine) -> None:
    note(postgres_engine, SECRET, "anna", "refund", "order:1")
    with pytest.raises(DBAPIError, match="append-only"), postgres_engine.begin() as connection:
        connection.execute(text("TRUNCATE audit_log"))


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ("UPDATE audit_log SET actor = 'berta' WHERE number = 3", Broken(3, "altered")),
        ("UPDATE audit_log SET detail = '{}' WHERE number = 2", Broken(2, "altered")),
        ("DELETE FROM audit_log WHERE number = 2", Broken(2, "missing")),
        ("UPDATE audit_log SET at_ms = at_ms - 1 WHERE number = 5", Broken(5, "altered")),
    ],
)
def test_what_got_past_the_database_is_found(written: Engine, change: str, found: Broken) -> None:
    unguard(written)
    with written.begin() as connection:
        connection.execute(text(change))
    assert verify(written, SECRET) == found


def test_an_entry_forged_without_the_secret_is_found(written: Engine) -> None:
    note(written, b"another secret".ljust(32), "anna", "refund", "order:9")
    assert verify(written, SECRET) == Broken(6, "altered")


def test_cutting_the_end_off_is_found_by_an_earlier_head(written: Engine) -> None:
    head = verify(written, SECRET)
    assert isinstance(head, Head)
    unguard(written)
    with written.begin() as connection:
        connection.execute(text("DELETE FROM audit_log WHERE number > 3"))
    assert isinstance(verify(written, SECRET), Head)
    assert verify(written, SECRET, head) == Broken(4, "cut")


def test_an_act_undone_leaves_no_entry(written: Engine) -> None:
    with written.connect() as connection:
        append(connection, SECRET, "anna", "refund", "order:7")
        connection.rollback()
    assert latest(written)[0]["about"] == "order:4"


def test_many_writers_make_one_chain(engine: Engine) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: note(engine, SECRET, "anna", "sell", f"order:{number}"), range(40)))
    head = verify(engine, SECRET)
    assert isinstance(head, Head)
    assert head.number == 40
