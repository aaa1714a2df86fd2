"""Take up a chain that was wiped, by command: contracts and tickets are made anew from our rows, with the same ids.

Nothing of this happens by itself: a wrong node looks like a wiped one. An operator confirms, and only a node with the
chain id we expect and another genesis is taken up. Owners that had changed on the lost chain are kept in the tickets'
rows, which decide who gets a credential; on the new chain such a ticket begins with its first owner, and is named.
"""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Connection, Engine, delete, select, update

from backend.chain import diagnoses
from backend.chain.diagnosis import Kind
from backend.chain.key_jobs import KEY_JOBS
from backend.chain.marks import MARKS
from backend.chain.observe import first_look
from backend.chain.rpc import Node
from backend.db.clock import now_ms
from backend.db.engine import read
from backend.db.tables.chain import Chain, ChainJob, Token
from backend.db.tables.orders import Ticket
from backend.errors import refuse
from backend.i18n import gettext as _
from backend.killpoints import reach

MADE_ANEW = ("deploy", "create_event", "mint", *MARKS, *KEY_JOBS)  # kinds whose effect our rows define


@dataclass(frozen=True, slots=True)
class Adoption:
    """What taking up the new chain means."""

    chain: int  # row of the lost one
    batches: int
    tickets: int
    moved: tuple[tuple[UUID, int], ...]  # tokens whose owner had changed on the lost chain


def look_at_wiped(engine: Engine, node: Node, chain_id: int) -> Adoption:
    """What would be made anew on the node's chain.

    Refuses `not_wiped` if no open diagnosis says so, `wrong_chain` for another chain id, and `same_chain` for a node
    that has our own first block. Raises `NodeError`.
    """
    first = first_look(node)
    with read(engine) as connection:
        if not diagnoses.open_rows(connection, Kind.WIPED):
            raise refuse("not_wiped", _("No node is diagnosed as wiped; there is nothing to take up."))
        if first.chain_id != chain_id:
            words = {"found": first.chain_id, "wanted": chain_id}
            sentence = _("The node is of chain %(found)d, not %(wanted)d; it is the wrong one. Set the right address.")
            raise refuse("wrong_chain", sentence % words)
        found = _lost(connection)
        genesis = connection.scalar(select(Chain.genesis_hash).where(Chain.id == found.chain))
    if genesis == first.genesis_hash:
        raise refuse(
            "same_chain", _("The node has our own first block; bring its blocks back, or give it an older state.")
        )
    return found


def take_up(engine: Engine) -> Adoption:
    """Retire the lost chain; the worker then takes up the node's, deploys and mints."""
    with engine.begin() as connection:
        found = _lost(connection)
        now = now_ms(connection)
        connection.execute(update(Chain).where(Chain.id == found.chain).values(state="retired"))
        for event_id, token in found.moved:
            _keep_owner(connection, event_id, token)
        connection.execute(delete(Token))
        anew = {"state": "queued", "chain": None, "to_address": None, "block_number": None, "tx_hash": None}
        connection.execute(
            update(ChainJob)
            .where(ChainJob.kind.in_(MADE_ANEW))
            .values(**anew, error=None, tries=0, due_ms=0, changed_ms=now)
        )
        connection.execute(
            update(ChainJob)
            .where(ChainJob.chain == found.chain, ChainJob.state.in_(diagnoses.NOT_BACK))
            .values(state="final", error="chain_gone", changed_ms=now)
        )
        moved = [{"event": str(event_id), "token_id": token} for event_id, token in found.moved]
        diagnoses.add_detail(connection, Kind.WIPED, {"taken_up": True, "moved": moved})
        reach("adopt.written")
    return found


def _lost(connection: Connection) -> Adoption:
    chain = connection.scalar(select(Chain.id).where(Chain.state != "retired").order_by(Chain.id.desc()).limit(1))
    if chain is None:
        raise refuse("not_wiped", _("No node is diagnosed as wiped; there is nothing to take up."))
    mints = connection.execute(select(ChainJob.tickets).where(ChainJob.kind == "mint")).all()
    moved = connection.execute(select(Token.event_id, Token.token_id).where(Token.epoch > 0).order_by(Token.token_id))
    return Adoption(chain, len(mints), sum(row.tickets for row in mints), tuple((one, two) for one, two in moved))


def _keep_owner(connection: Connection, event_id: UUID, token: int) -> None:
    """The lost chain's last word on who owns a ticket, where it is later than ours."""
    mine = (Token.event_id == event_id) & (Token.token_id == token)
    known = connection.execute(select(Token.owner, Token.epoch).where(mine)).one()
    ticket = (Ticket.event_id == event_id) & (Ticket.token_id == token) & (Ticket.epoch < known.epoch)
    connection.execute(update(Ticket).where(ticket).values(owner=known.owner, epoch=known.epoch))
