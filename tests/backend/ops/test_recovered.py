"""What the chain knows and a restored database does not."""

from sqlalchemy import Engine, insert, select, update

from backend.db.tables.chain import Token
from backend.db.tables.events import Stock
from backend.db.tables.orders import Ticket
from backend.ops.recovered import recover
from credential.tickets import Status
from tests.support.rows import add_event, add_paid_tickets

OWNER = b"\x01" * 20
FIRST = 1 << 16


def test_a_ticket_given_back_after_the_backup_is_void_again_and_its_place_free(engine: Engine) -> None:
    with engine.begin() as connection:
        event_id = add_event(connection)
        kept, returned = add_paid_tickets(connection, event_id, [OWNER, OWNER])
        for place, ticket in enumerate((kept, returned)):
            numbers = {"batch_number": 1, "token_id": FIRST + place}
            connection.execute(update(Ticket).where(Ticket.id == ticket).values(**numbers))
            status = Status.REVOKED if ticket == returned else Status.VALID
            token = {"event_id": event_id, "token_id": FIRST + place, "owner": OWNER, "epoch": 0, "status": status}
            token |= {"minted_block": 1, "changed_block": 1}
            connection.execute(insert(Token).values(**token))
        assert recover(connection).revoked == 1
        assert recover(connection).revoked == 0, "again: nothing more"
        rows = connection.execute(select(Ticket.id, Ticket.state, Ticket.serial)).all()
        sold = connection.scalar(select(Stock.sold))
    assert {row.id: (row.state, row.serial) for row in rows} == {kept: ("valid", 0), returned: ("revoked", 1)}
    assert sold == 1
