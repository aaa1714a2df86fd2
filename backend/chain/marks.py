"""Statuses of tokens as jobs: revoked, suspended, reinstated, redeemed (SPEC 10.7).

What the tickets' rows and the gates' logs say is the intent; `ask_for_marks` compares it with what was asked for before
and asks for the difference, as often as it is called. Whoever decides something may also call `enqueue_marks` in the
same transaction: both come to the same rows. A mark waits for the mint of its batch, so that a ticket refunded before
it was minted is minted and then revoked: ids are written once (design 6).
"""

from collections import defaultdict
from collections.abc import Collection, Sequence
from hashlib import sha256
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Engine, Row, and_, func, insert, select, update

from backend.chain.calldata import mark_calldata, status_words
from backend.chain.jobs import NewJob, enqueue
from backend.chain.logs import TICKETS_OF_A_WORD
from backend.db.among import among, parts_of
from backend.db.clock import now_ms
from backend.db.engine import read
from backend.db.tables.chain import ChainJob, ChainMark, Token
from backend.db.tables.credentials import GateRecord
from backend.db.tables.orders import Ticket
from backend.killpoints import reach
from credential.tickets import Status

NOT_BACK = ("queued", "signed", "sent")  # states of a job whose effect is not on the chain
MARKED_AT_ONCE = 100  # tickets of a revocation: about 2.5 million gas
WORDS_AT_ONCE = 100  # of a redemption; 128 tickets each
LOOKED_AT = 5_000  # tickets in one transaction
REDEEM_WAIT_MS = 60_000  # from an admission to its redemption; gates don't wait for it
REDEEM_HOT = 2_000  # so many waiting are redeemed at once
BASE_GAS = 80_000
TICKET_GAS = 40_000  # measured: 24,800 for a ticket alone in its word (SPEC 8, gas table)

KIND_OF = {
    Status.REVOKED: "revoke",
    Status.SUSPENDED: "suspend",
    Status.VALID: "reinstate",
    Status.REDEEMED: "redeem",
}
MARKS = tuple(KIND_OF.values())
_WANTED = {"refunded": Status.REVOKED, "revoked": Status.REVOKED, "suspended": Status.SUSPENDED}
_LAST = (Status.REVOKED, Status.REDEEMED)  # nothing follows them on the chain


def ask_for_marks(engine: Engine, redeem_wait_ms: int = REDEEM_WAIT_MS) -> int:
    """Ask for every status that rows and gates say and that was not asked for yet; of how many tickets."""
    with read(engine) as connection:
        wanted = [*_unasked(connection), *_thawed(connection), *_entered(connection, redeem_wait_ms)]
    asked = 0
    for (event_id, status), tokens in _grouped(wanted).items():
        for part in parts_of(sorted(tokens), LOOKED_AT):
            with engine.begin() as connection:
                asked += enqueue_marks(connection, event_id, part, status)
                reach("marks.written")
    return asked


def enqueue_marks(connection: Connection, event_id: UUID, token_ids: Collection[int], status: Status) -> int:
    """Ask for this status of tokens whose batch is closed, in the caller's transaction; how many were not asked before.

    A token that is revoked or redeemed for good, or for which the same was asked last, is left as it is.
    """
    asked = _last_marks(connection, event_id, token_ids)
    fresh = [
        token for token in sorted(set(token_ids)) if token not in asked or asked[token].status not in (status, *_LAST)
    ]
    parents = _mints(connection, event_id, {token >> 16 for token in fresh})
    for parent, tokens in _by_parent(fresh, asked, parents).items():
        for part in _parts(tokens, status):
            _enqueue(connection, event_id, part, status, parent, asked)
    return len(fresh)


def mend_marks(connection: Connection, job: Row[Any]) -> bool:
    """Take out of a job that fails what the chain will never take again; whether the job is still needed.

    One ticket that was used meanwhile must not keep the others of its job from being revoked.
    """
    marks = connection.execute(
        select(ChainMark.token_id, ChainMark.status, Token.status.label("known"))
        .outerjoin(Token, and_(Token.event_id == ChainMark.event_id, Token.token_id == ChainMark.token_id))
        .where(ChainMark.job_id == job.id)
    ).all()
    moot = [mark.token_id for mark in marks if mark.known is not None and _is_moot(mark.known, mark.status)]
    if not moot:
        return True
    mine = ChainMark.job_id == job.id
    connection.execute(update(ChainMark).where(mine, ChainMark.token_id.in_(moot)).values(overlapped=True))
    left = [mark.token_id for mark in marks if mark.token_id not in set(moot)]
    if left:
        values = {"calldata": mark_calldata(Status(marks[0].status), left), "tickets": len(left)}
    else:
        values = {"state": "final", "error": "nothing_left_to_do", "changed_ms": now_ms(connection)}
    connection.execute(update(ChainJob).where(ChainJob.id == job.id).values(values))
    return bool(left)


def note_overlaps(connection: Connection, job: int, token_ids: Sequence[int]) -> None:
    """The chain did not redeem these: they were redeemed, suspended or revoked before (`RedeemOverlap`)."""
    for part in parts_of(list(token_ids), 500):
        mine = (ChainMark.job_id == job) & ChainMark.token_id.in_(part)
        connection.execute(update(ChainMark).where(mine).values(overlapped=True))


# --- what is wanted ---------------------------------------------------------------------------------------------------


def _unasked(connection: Connection) -> list[tuple[UUID, int, Status]]:
    """Tickets that are not valid in the database, and whose status was never asked for."""
    newest = _newest_of(Ticket.event_id, Ticket.token_id)
    query = (
        select(Ticket.event_id, Ticket.token_id, Ticket.state)
        .outerjoin(ChainMark, and_(ChainMark.job_id == newest, ChainMark.token_id == Ticket.token_id))
        .where(Ticket.state != "valid", Ticket.token_id.is_not(None))
    )
    revoked = (Ticket.state == "suspended") & ChainMark.status.in_((Status.SUSPENDED, *_LAST))
    done = revoked | ((Ticket.state != "suspended") & ChainMark.status.in_(_LAST))
    rows = connection.execute(query.where(ChainMark.job_id.is_(None) | ~done).limit(LOOKED_AT))
    return [(event_id, token or 0, _WANTED[state]) for event_id, token, state in rows if state in _WANTED]


def _thawed(connection: Connection) -> list[tuple[UUID, int, Status]]:
    """Tickets that we had suspended and that are valid again. A suspension by others is left to them."""
    newest = _newest_of(ChainMark.event_id, ChainMark.token_id)
    mine = and_(Ticket.event_id == ChainMark.event_id, Ticket.token_id == ChainMark.token_id)
    state = select(Ticket.state).where(mine).scalar_subquery()  # not a join: it would begin with all tickets
    query = (
        select(ChainMark.event_id, ChainMark.token_id)
        .where(ChainMark.status == Status.SUSPENDED, ChainMark.job_id == newest, state == "valid")
        .limit(LOOKED_AT)
    )
    return [(event_id, token, Status.VALID) for event_id, token in connection.execute(query)]


def _entered(connection: Connection, wait_ms: int) -> list[tuple[UUID, int, Status]]:
    """Minted tickets that gates let in, once enough are waiting or one has waited long enough."""
    known = select(ChainMark.token_id).where(
        ChainMark.event_id == GateRecord.event_id,
        ChainMark.token_id == GateRecord.token_id,
        ChainMark.status == Status.REDEEMED,
    )
    query = (
        select(GateRecord.event_id, GateRecord.token_id, func.min(GateRecord.received_ms).label("since"))
        .join(Token, and_(Token.event_id == GateRecord.event_id, Token.token_id == GateRecord.token_id))
        .where(GateRecord.admits, ~known.exists())
        .group_by(GateRecord.event_id, GateRecord.token_id)
        .limit(LOOKED_AT)
    )
    rows = connection.execute(query).all()
    oldest = min((row.since for row in rows), default=0)
    if not rows or (len(rows) < REDEEM_HOT and now_ms(connection) - oldest < wait_ms):
        return []
    return [(row.event_id, row.token_id, Status.REDEEMED) for row in rows]


def _newest_of(event_id: Any, token_id: Any) -> Any:  # noqa: ANN401 - columns of either table
    inner = ChainMark.__table__.alias("newer")
    mine = (inner.c.event_id == event_id) & (inner.c.token_id == token_id)
    return select(func.max(inner.c.job_id)).where(mine).scalar_subquery()


def _grouped(wanted: Sequence[tuple[UUID, int, Status]]) -> dict[tuple[UUID, Status], list[int]]:
    groups: dict[tuple[UUID, Status], list[int]] = defaultdict(list)
    for event_id, token, status in wanted:
        groups[event_id, status].append(token)
    return groups


# --- how it is asked for ----------------------------------------------------------------------------------------------


def _last_marks(connection: Connection, event_id: UUID, token_ids: Collection[int]) -> dict[int, Row[Any]]:
    """The newest mark of each token: job, status and the job's state."""
    query = (
        select(ChainMark.token_id, ChainMark.status, ChainMark.job_id, ChainJob.state)
        .join(ChainJob, ChainJob.id == ChainMark.job_id)
        .where(ChainMark.event_id == event_id)
        .order_by(ChainMark.job_id)
    )
    found: dict[int, Row[Any]] = {}
    for part in parts_of(list(token_ids), 500):
        found |= {
            row.token_id: row for row in connection.execute(query.where(among(connection, ChainMark.token_id, part)))
        }
    return found


def _mints(connection: Connection, event_id: UUID, numbers: Collection[int]) -> dict[int, int]:
    """The mint jobs of these batches that are not on the chain yet, by batch number."""
    query = select(ChainJob.batch_number, ChainJob.id).where(
        ChainJob.event_id == event_id, ChainJob.kind == "mint", ChainJob.state.in_(NOT_BACK)
    )
    return {number: job for number, job in connection.execute(query) if number is not None and number in numbers}


def _by_parent(tokens: Sequence[int], asked: dict[int, Row[Any]], mints: dict[int, int]) -> dict[int | None, list[int]]:
    """What each token must wait for: its last mark while that is under way, else its mint."""
    groups: dict[int | None, list[int]] = defaultdict(list)
    for token in tokens:
        last = asked.get(token)
        waits_for = last.job_id if last is not None and last.state in NOT_BACK else mints.get(token >> 16)
        groups[waits_for].append(token)
    return groups


def _parts(tokens: Sequence[int], status: Status) -> list[Sequence[int]]:
    """The tokens in the portions of one job each; they rise, so that a word's tickets follow one another."""
    if status is not Status.REDEEMED:
        return parts_of(tokens, MARKED_AT_ONCE)
    by_word: dict[int, list[int]] = defaultdict(list)
    for token in tokens:
        by_word[token // TICKETS_OF_A_WORD].append(token)
    return [[token for word in words for token in word] for words in parts_of(list(by_word.values()), WORDS_AT_ONCE)]


def _enqueue(
    connection: Connection,
    event_id: UUID,
    tokens: Sequence[int],
    status: Status,
    parent: int | None,
    asked: dict[int, Row[Any]],
) -> None:
    kind = KIND_OF[status]
    before = [asked[token].job_id if token in asked else 0 for token in tokens]
    digest = sha256(repr((tokens, before)).encode()).hexdigest()[:32]
    words = len(status_words(tokens)[0]) if status is Status.REDEEMED else len(tokens)
    job = enqueue(
        connection,
        NewJob(
            kind=kind,
            key=f"{kind}:{event_id}:{digest}",
            event_id=event_id,
            gas_limit=BASE_GAS + TICKET_GAS * words,
            calldata=mark_calldata(status, tokens),
            tickets=len(tokens),
            depends_on=parent,
        ),
    )
    rows = [{"job_id": job, "token_id": token, "event_id": event_id, "status": status} for token in tokens]
    connection.execute(insert(ChainMark), rows)


def _is_moot(known: int, wanted: int) -> bool:
    return known in _LAST or known == wanted
