"""Lists and figures of an event."""

import csv
import io
from uuid import uuid4

import pytest
from sqlalchemy import Engine, insert, update

from backend.db.tables.chain import Token
from backend.db.tables.credentials import GateRecord
from backend.db.tables.events import Event, TicketClass
from backend.db.tables.orders import Ticket
from backend.desk.attendees import attendees, csv_lines, export
from backend.desk.figures import MAX_STEPS, MINUTE_MS, STEPS_MS, figures, series, step_for
from credential.bundle import Status
from tests.support.rows import CUSTODY, add_event, add_paid_tickets


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", '=HYPERLINK("x")'])
def test_no_cell_of_an_export_is_a_formula(text: str) -> None:
    (row,) = csv.reader(io.StringIO(csv_lines([[text, "harmless"]])))
    assert row == [f"'{text}", "harmless"]


def test_the_export_has_every_ticket_once_with_its_entry(engine: Engine) -> None:
    with engine.begin() as connection:
        event_id = add_event(connection)
        connection.execute(update(TicketClass).values(name="=cmd|' /C calc'!A0"))
        tickets = add_paid_tickets(connection, event_id, [CUSTODY] * 5, sold_ms=1_900_000_000_000)
        connection.execute(update(Ticket).where(Ticket.id == tickets[2]).values(token_id=65_538))
        connection.execute(insert(GateRecord).values(record(event_id, 65_538, 1_900_000_500)))
    rows = list(csv.DictReader(io.StringIO("".join(export(engine, b"s" * 32, event_id)).removeprefix("\ufeff"))))
    assert {row["ticket_id"] for row in rows} == {str(ticket) for ticket in tickets}
    assert [row["entered_at"] for row in rows if row["entered_at"]] == ["2030-03-17T17:55:00.000Z"]
    assert {row["class"][0] for row in rows} == {"'"}


def test_pages_of_attendees_leave_nobody_out(engine: Engine) -> None:
    with engine.begin() as connection:
        event_id = add_event(connection)
        tickets = add_paid_tickets(connection, event_id, [CUSTODY] * 7)
        add_paid_tickets(connection, add_event(connection), [CUSTODY] * 2)
    first = attendees(engine, event_id, limit=4)
    rest = attendees(engine, event_id, first[-1].ticket_id, limit=4)
    assert sorted(one.ticket_id for one in (*first, *rest)) == sorted(tickets)


def test_figures_add_up(engine: Engine) -> None:
    begin = 1_900_000_000_000
    with engine.begin() as connection:
        event_id = add_event(connection, (100,))
        connection.execute(update(Event).values(state="on_sale"))
        for minute, count in enumerate((3, 0, 2)):
            add_paid_tickets(
                connection, event_id, [CUSTODY] * count, sold_ms=begin + minute * MINUTE_MS
            ) if count else None
        gone = add_paid_tickets(connection, event_id, [CUSTODY], sold_ms=begin)
        connection.execute(update(Ticket).where(Ticket.id.in_(gone)).values(state="refunded"))
        for number, token in enumerate((1, 2, 2)):
            connection.execute(insert(GateRecord).values(record(event_id, token, 1_900_000_000 + number, number)))
    found = figures(engine, event_id)
    assert (found.capacity, found.good, found.gone, found.entered) == (100, 5, 1, 2)
    assert found.sales[-1].total == 6
    assert found.entries[-1].total == 3


def test_a_ticket_that_the_chain_revoked_is_no_good_ticket_at_the_desk(engine: Engine) -> None:
    with engine.begin() as connection:
        event_id = add_event(connection, (100,))
        tickets = add_paid_tickets(connection, event_id, [CUSTODY] * 3)
        for number, (ticket, status) in enumerate(
            zip(tickets, (Status.VALID, Status.REVOKED, Status.REDEEMED), strict=True)
        ):
            connection.execute(update(Ticket).where(Ticket.id == ticket).values(token_id=65_536 + number))
            connection.execute(insert(Token).values(token(event_id, 65_536 + number, status)))
    states = {one.ticket_id: one.state for one in attendees(engine, event_id)}
    assert [states[ticket] for ticket in tickets] == ["valid", "revoked", "valid"]
    found = figures(engine, event_id)
    assert (found.good, found.gone) == (2, 1)


def test_a_series_has_no_gaps() -> None:
    points = series({0: 2, 3 * MINUTE_MS: 1}, MINUTE_MS)
    assert [(one.count, one.total) for one in points] == [(2, 2), (0, 2), (0, 2), (1, 3)]
    assert series({}, MINUTE_MS) == ()


def test_steps_fit_the_chart() -> None:
    for span in (0, 59 * MINUTE_MS, 60 * MINUTE_MS, 24 * 60 * MINUTE_MS, 400 * 24 * 60 * MINUTE_MS):
        assert span // step_for(span) < MAX_STEPS
    assert step_for(0) == STEPS_MS[0]


def token(event_id: object, token_id: int, status: Status) -> dict[str, object]:
    blocks = {"minted_block": 1, "changed_block": 1}
    return {"event_id": event_id, "token_id": token_id, "owner": CUSTODY, "epoch": 0, "status": status, **blocks}


def record(event_id: object, token: int, at_s: int, number: int = 0) -> dict[str, object]:
    return {
        "event_id": event_id,
        "gate_number": 1,
        "log_id": uuid4().bytes,
        "number": number,
        "admits": True,
        "token_id": token,
        "at_s": at_s,
        "payload": b"",
        "received_ms": at_s * 1000,
    }
