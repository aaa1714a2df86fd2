"""Tickets that replay suspended are settled by a person's checked choice, which the audit log keeps."""

import json
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import Engine, func, insert, select, update
from typer.testing import CliRunner

from backend.chain.marks import ask_for_marks
from backend.cli.chain import app
from backend.db.tables.chain import Batch, Chain, ChainMark, Diagnosis, Token
from backend.db.tables.desk import AuditEntry
from backend.db.tables.events import Event
from backend.db.tables.orders import Refund, Ticket
from backend.errors import Refused
from backend.ops.settle import Choice, settle, waiting
from credential.tickets import Status
from tests.support.rows import add_event, add_paid_tickets

SECRET = bytes(32)
SELLER, BUYER = b"\x01" * 20, b"\x02" * 20
FIRST = 1 << 16
FINAL = 10


@pytest.fixture
def event_id(engine: Engine) -> UUID:
    """Two tickets, bought by the buyer; the lost move of the first is named, the second was suspended otherwise."""
    with engine.begin() as connection:
        event_id = add_event(connection)
        tickets = add_paid_tickets(connection, event_id, [BUYER, BUYER])
        chain = {"chain_id": 1, "genesis_hash": bytes(32), "state": "active", "start_block": 0, "cursor_number": 12}
        more = {"cursor_hash": bytes(32), "final_number": FINAL, "seen_ms": 0, "created_ms": 0}
        connection.execute(insert(Chain).values(**chain, **more))
        owners = SELLER + SELLER
        batch = {"event_id": event_id, "number": 1, "class_number": 1, "count": 2, "owners": owners, "closed_ms": 0}
        connection.execute(insert(Batch).values(batch))
        for place, ticket in enumerate(tickets):
            mine = update(Ticket).where(Ticket.id == ticket)
            connection.execute(
                mine.values(state="suspended", token_id=FIRST + place, batch_number=1, serial=3, epoch=1)
            )
            token = {"event_id": event_id, "token_id": FIRST + place, "owner": SELLER, "epoch": 0, "status": 3}
            connection.execute(insert(Token).values(**token, minted_block=2, changed_block=2))
        lost = {"hash": "0xaa", "sender": "0x01", "reason": "nonce_used"}
        tokens = [{"event": str(event_id), "token_id": FIRST}]
        detail = {"not_reproduced": [{**lost, "tokens": tokens}]}
        row = {"chain": 1, "kind": "rolled_back", "detail": detail, "opened_ms": 1, "closed_ms": 2}
        connection.execute(insert(Diagnosis).values(row))
    ask_for_marks(engine)
    return event_id


def slug(engine: Engine) -> str:
    with engine.connect() as connection:
        return connection.execute(select(Event.slug)).scalar_one()


def choose(engine: Engine, choice: Choice, token: int = FIRST) -> None:
    settle(engine, SECRET, slug(engine), token, choice, "command line")


def state(engine: Engine) -> tuple[str, bytes, int, int]:
    with engine.connect() as connection:
        row = connection.execute(select(Ticket).where(Ticket.token_id == FIRST)).one()
        return row.state, row.owner, row.epoch, row.serial


def refused(engine: Engine, choice: Choice, token: int = FIRST) -> str:
    before = state(engine)
    with pytest.raises(Refused) as caught:
        choose(engine, choice, token)
    assert state(engine) == before
    return caught.value.refusal.code


def test_ticket_goes_to_its_holder_on_the_chain(engine: Engine, event_id: UUID) -> None:
    assert [(one.token_id, one.reason, one.chain_owner, one.our_owner) for one in waiting(engine)] == [
        (FIRST, "nonce_used", SELLER, BUYER)
    ]
    choose(engine, "chain")
    assert state(engine) == ("valid", SELLER, 0, 4)  # codes with serial 3 are dead, whoever has them
    assert waiting(engine) == []
    ask_for_marks(engine)
    with engine.connect() as connection:
        last = connection.execute(
            select(ChainMark.status).where(ChainMark.token_id == FIRST).order_by(ChainMark.job_id.desc()).limit(1)
        ).scalar_one()
        entry = connection.execute(select(AuditEntry)).one()
    assert last == Status.VALID  # the chain is told
    assert (entry.action, json.loads(entry.detail)) == ("ticket.settle", {"choice": "chain", "lost": "0xaa"})
    assert event_id


@pytest.mark.usefixtures("event_id")
def test_ticket_goes_to_its_holder_before_the_loss(engine: Engine) -> None:
    choose(engine, "ours")
    assert state(engine) == ("valid", BUYER, 1, 4)


@pytest.mark.usefixtures("event_id")
def test_ticket_is_refunded(engine: Engine) -> None:
    choose(engine, "refund")
    assert state(engine)[0] == "refunded"
    with engine.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(Refund)) == 1


@pytest.mark.usefixtures("event_id")
def test_only_what_replay_suspended_is_settled_and_once(engine: Engine) -> None:
    assert refused(engine, "chain", FIRST + 1) == "not_suspended_by_replay"
    assert refused(engine, "chain", FIRST + 7) == "not_suspended_by_replay"
    choose(engine, "chain")
    assert refused(engine, "ours") == "not_suspended_by_replay"


@pytest.mark.usefixtures("event_id")
def test_nothing_is_settled_on_a_word_that_may_still_change(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(update(Token).values(changed_block=FINAL + 1))
    assert refused(engine, "chain") == "not_final"
    with engine.begin() as connection:
        connection.execute(update(Token).values(changed_block=FINAL))
        connection.execute(update(Diagnosis).values(closed_ms=None))
    assert refused(engine, "chain") == "chain_not_ready"
    with engine.begin() as connection:
        connection.execute(update(Diagnosis).values(closed_ms=3))
        connection.execute(Token.__table__.delete())  # type: ignore[attr-defined]
    assert refused(engine, "ours") == "not_minted"
    with engine.connect() as connection:
        assert connection.execute(select(AuditEntry)).all() == []


@pytest.mark.usefixtures("event_id")
def test_command_lists_and_settles(
    engine: Engine, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRUESTUB_DATABASE_URL", database_url)
    monkeypatch.setenv("TRUESTUB_DATA_DIR", str(tmp_path / "data"))
    listed = CliRunner().invoke(app, ["settle"])
    assert (listed.exit_code, f"{slug(engine)} {FIRST}: lost 0xaa (nonce_used)" in listed.stdout) == (0, True)
    missing = CliRunner().invoke(app, ["settle", slug(engine), str(FIRST)])
    assert isinstance(missing.exception, Refused)
    done = CliRunner().invoke(app, ["settle", slug(engine), str(FIRST), "--give-to", "chain"])
    assert (done.exit_code, state(engine)[0]) == (0, "valid")
