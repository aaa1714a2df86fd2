"""Refunds, suspensions and admissions reach the chain once, after what they need, whatever their order in time."""

from uuid import UUID, uuid4

import pytest
from sqlalchemy import Engine, func, insert, select, update

from backend.chain import abi, marks
from backend.chain.batcher import close_batches
from backend.chain.calldata import mark_calldata, status_words
from backend.chain.key_jobs import mirror_keys
from backend.chain.marks import ask_for_marks, enqueue_marks
from backend.db.tables.chain import Batch, ChainJob, ChainMark, Token
from backend.db.tables.credentials import Gate, GateRecord, KeyList
from backend.db.tables.events import Stock
from backend.db.tables.orders import Ticket
from credential.keylist import KeyEntry, Reason, Role
from credential.tickets import Status
from tests.support.chain_node import ChainNode
from tests.support.chain_platform import OPERATOR, ChainPlatform, start_platform
from tests.support.rows import CUSTODY, add_paid_tickets

OWNER = b"\x01" * 20


@pytest.fixture
def platform(engine: Engine, anvil: ChainNode) -> ChainPlatform:
    """A small event: ten places."""
    return start_platform(engine, anvil, (10,))


def sell(platform: ChainPlatform, count: int) -> list[UUID]:
    with platform.engine.begin() as connection:
        return add_paid_tickets(connection, platform.event_id, [OWNER] * count)


def refund(platform: ChainPlatform, *tickets: UUID) -> None:
    with platform.engine.begin() as connection:
        connection.execute(update(Ticket).where(Ticket.id.in_(tickets)).values(state="refunded"))
        connection.execute(update(Stock).values(sold=Stock.sold - len(tickets)))


def mark_state(platform: ChainPlatform, ticket: UUID, state: str) -> None:
    with platform.engine.begin() as connection:
        connection.execute(update(Ticket).where(Ticket.id == ticket).values(state=state))


def status_of(platform: ChainPlatform, ticket: UUID) -> int | None:
    with platform.engine.connect() as connection:
        token = (Token.event_id == Ticket.event_id) & (Token.token_id == Ticket.token_id)
        return connection.scalar(select(Token.status).join(Ticket, token).where(Ticket.id == ticket))


def token_of(platform: ChainPlatform, ticket: UUID) -> int:
    with platform.engine.connect() as connection:
        return connection.scalar(select(Ticket.token_id).where(Ticket.id == ticket)) or 0


def until(platform: ChainPlatform, ticket: UUID, status: Status) -> None:
    def turn() -> bool:
        ask_for_marks(platform.engine, 0)
        return status_of(platform, ticket) == status

    platform.until(turn, f"the status {status.name}")


def jobs(platform: ChainPlatform, kind: str) -> list[tuple[str, int]]:
    with platform.engine.connect() as connection:
        rows = connection.execute(select(ChainJob.state, ChainJob.tickets).where(ChainJob.kind == kind))
        return [(state, tickets) for state, tickets in rows]


def admit(platform: ChainPlatform, *tokens: int) -> None:
    with platform.engine.begin() as connection:
        row = {"event_id": platform.event_id, "number": 1, "name": "east", "token_hash": uuid4().bytes * 2}
        if connection.scalar(select(func.count()).select_from(Gate)) == 0:
            connection.execute(insert(Gate).values(**row, created_ms=0))
        for token in tokens:
            values = {"event_id": platform.event_id, "gate_number": 1, "log_id": uuid4().bytes, "number": 0}
            connection.execute(
                insert(GateRecord).values(**values, admits=True, token_id=token, at_s=1, payload=b"", received_ms=1)
            )


def test_a_ticket_refunded_before_its_batch_closed_is_minted_to_custody_and_revoked(platform: ChainPlatform) -> None:
    kept, gone = sell(platform, 2)
    refund(platform, gone)
    close_batches(platform.engine, 0)
    with platform.engine.connect() as connection:
        owners = dict(connection.execute(select(Ticket.id, Ticket.owner)).all())
    assert owners == {kept: OWNER, gone: CUSTODY}
    until(platform, gone, Status.REVOKED)
    assert status_of(platform, kept) == Status.VALID
    platform.agrees()


def test_a_ticket_refunded_before_its_mint_is_minted_as_allotted_and_revoked(platform: ChainPlatform) -> None:
    gone = sell(platform, 1)[0]
    close_batches(platform.engine, 0)
    refund(platform, gone)
    assert ask_for_marks(platform.engine) == 1
    until(platform, gone, Status.REVOKED)
    with platform.engine.connect() as connection:
        assert connection.scalar(select(Token.owner)) == OWNER


def test_in_a_sold_out_class_the_replacing_ticket_is_minted_after_the_refunded_one_was_revoked(
    platform: ChainPlatform,
) -> None:
    first = sell(platform, 10)
    refund(platform, first[3])
    new = sell(platform, 1)[0]
    platform.until(lambda: platform.minted() == 11, "eleven tokens for ten places")
    until(platform, first[3], Status.REVOKED)
    assert status_of(platform, new) == Status.VALID
    with platform.engine.connect() as connection:
        counts = list(connection.scalars(select(Batch.count).order_by(Batch.number)))
        last = connection.execute(select(ChainJob.depends_on).where(ChainJob.batch_number == 2)).scalar_one()
        assert connection.scalar(select(ChainJob.kind).where(ChainJob.id == last)) == "revoke"
        assert connection.scalars(select(ChainJob.error).where(ChainJob.error.is_not(None))).all() == []
    assert counts == [10, 1]
    platform.agrees()


def test_what_is_asked_for_twice_is_done_once(platform: ChainPlatform) -> None:
    gone = sell(platform, 1)[0]
    close_batches(platform.engine, 0)
    refund(platform, gone)
    token = token_of(platform, gone)
    with platform.engine.begin() as connection:
        assert enqueue_marks(connection, platform.event_id, [token], Status.REVOKED) == 1
        assert enqueue_marks(connection, platform.event_id, [token], Status.REVOKED) == 0
    assert ask_for_marks(platform.engine) == 0
    until(platform, gone, Status.REVOKED)
    assert jobs(platform, "revoke")[0][1] == 1
    assert len(jobs(platform, "revoke")) == 1


def test_a_ticket_is_suspended_reinstated_and_suspended_again(platform: ChainPlatform) -> None:
    ticket = sell(platform, 1)[0]
    platform.until(lambda: platform.minted() == 1, "a token")
    for state, status in (("suspended", Status.SUSPENDED), ("valid", Status.VALID), ("suspended", Status.SUSPENDED)):
        mark_state(platform, ticket, state)
        assert ask_for_marks(platform.engine) == 1
        until(platform, ticket, status)
    assert len(jobs(platform, "suspend")) == 2


def test_admissions_are_redeemed_in_bulk_and_overlaps_are_read_not_reverted(platform: ChainPlatform) -> None:
    tickets = sell(platform, 5)
    platform.until(lambda: platform.minted() == 5, "five tokens")
    refund(platform, tickets[0])
    until(platform, tickets[0], Status.REVOKED)
    admit(platform, *(token_of(platform, ticket) for ticket in tickets[:4]))
    assert ask_for_marks(platform.engine, 10**15) == 0  # they may wait
    until(platform, tickets[1], Status.REDEEMED)
    assert [status_of(platform, ticket) for ticket in tickets] == [2, 1, 1, 1, 0]
    with platform.engine.connect() as connection:
        overlapped = list(connection.scalars(select(ChainMark.token_id).where(ChainMark.overlapped)))
    assert overlapped == []  # a ticket revoked for good is not asked for
    assert [count for _state, count in jobs(platform, "redeem")] == [3]


def test_a_ticket_revoked_behind_our_back_is_told_as_an_overlap(platform: ChainPlatform) -> None:
    first, second = sell(platform, 2)
    platform.until(lambda: platform.minted() == 2, "two tokens")
    tokens = [token_of(platform, first), token_of(platform, second)]
    admit(platform, *tokens)
    assert ask_for_marks(platform.engine, 0) == 2
    revoke = abi.call("EventTickets", "revoke", [tokens[0]])
    platform.send(OPERATOR, revoke)
    until(platform, second, Status.REDEEMED)
    with platform.engine.connect() as connection:
        assert list(connection.scalars(select(ChainMark.token_id).where(ChainMark.overlapped))) == tokens[:1]
    assert status_of(platform, first) == Status.REVOKED


def test_one_ticket_that_was_used_does_not_keep_the_others_from_being_revoked(platform: ChainPlatform) -> None:
    tickets = sell(platform, 3)
    platform.until(lambda: platform.minted() == 3, "three tokens")
    tokens = [token_of(platform, ticket) for ticket in tickets]
    words, masks = status_words(tokens[:1])
    platform.send(OPERATOR, abi.call("EventTickets", "redeemWords", words, masks))
    with platform.engine.begin() as connection:
        enqueue_marks(connection, platform.event_id, tokens, Status.REVOKED)
    until(platform, tickets[1], Status.REVOKED)
    assert [status_of(platform, ticket) for ticket in tickets] == [1, 2, 2]


def test_killed_while_asking_nothing_is_asked_by_halves(
    platform: ChainPlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = sell(platform, 1)[0]
    close_batches(platform.engine, 0)
    refund(platform, gone)

    def die(_place: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(marks, "reach", die)
    with pytest.raises(KeyboardInterrupt):
        ask_for_marks(platform.engine)
    monkeypatch.undo()
    assert jobs(platform, "revoke") == []
    assert ask_for_marks(platform.engine) == 1
    assert jobs(platform, "revoke") == [("queued", 1)]


def test_the_registry_follows_the_key_list_additions_before_revocations(
    platform: ChainPlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    entries = [KeyEntry(bytes([9]) * 32, Role.ISSUING, b"\x05" * 8, 1000, 4_000_000_000)]

    class Newest:
        pass

    Newest.entries = entries  # type: ignore[attr-defined]
    monkeypatch.setattr("backend.chain.key_jobs.newest_key_list", lambda _connection: Newest)
    assert mirror_keys(platform.engine) == 1
    assert mirror_keys(platform.engine) == 0
    entries[0] = KeyEntry(bytes([9]) * 32, Role.ISSUING, b"\x05" * 8, 1000, 4_000_000_000, 2000, Reason.ROTATED)
    assert mirror_keys(platform.engine) == 1
    platform.until(lambda: [state for state, _ in jobs(platform, "revoke_key")] == ["final"], "the revocation")
    assert [state for state, _ in jobs(platform, "add_key")] == ["final"]
    with platform.engine.connect() as connection:
        assert connection.scalars(select(KeyList.version)).all() == []


def test_calldata_is_what_web3_encodes() -> None:
    tokens = [1 << 16, 1 << 16 | 3, 2 << 16 | 200]
    words, masks = status_words(tokens)
    assert mark_calldata(Status.REDEEMED, tokens) == abi.call("EventTickets", "redeemWords", words, masks)
    for status, name in ((Status.REVOKED, "revoke"), (Status.SUSPENDED, "suspend"), (Status.VALID, "reinstate")):
        assert mark_calldata(status, tokens) == abi.call("EventTickets", name, tokens)
