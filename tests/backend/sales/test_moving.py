"""Tickets given away by their holders' signatures: in order here at once, on the chain once, or taken back."""

import time
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any
from uuid import UUID

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_account.signers.local import LocalAccount
from sqlalchemy import Connection, Row, insert, select, update
from werkzeug.test import TestResponse

from backend.chain import moves
from backend.chain.batcher import close_batches
from backend.chain.calldata import mark_calldata, move_calldata
from backend.chain.deploy import event_address
from backend.chain.keys import DEVELOPMENT_KEYS, RelayerKey
from backend.db.engine import read
from backend.db.tables.chain import ChainJob, Token
from backend.db.tables.credentials import GateRecord
from backend.db.tables.events import Event, TicketClass
from backend.db.tables.moves import ChainMove
from backend.db.tables.orders import Ticket
from backend.domain.selling.refunding import give_back
from backend.sales.calling_off import Times, postpone_event
from backend.sales.moving import MOVES_A_DAY
from credential.moving import move_typed_data
from credential.tickets import Status
from tests.backend.web.test_finding import find
from tests.support.anvil import ACCOUNTS
from tests.support.buyer import Buyer, new_key, problem
from tests.support.chain_shop import Till

CHAIN_ID = 31337
OPERATOR = RelayerKey(DEVELOPMENT_KEYS["operator"])
HOLDER, FRIEND, THIRD = (Account.from_key(ACCOUNTS[place][1]) for place in (5, 6, 7))
FAR = int(time.time()) + 90 * 86_400


class Given:
    """A holder's ticket that is on the chain, and what is done with it."""

    def __init__(self, shop: Till) -> None:
        self.shop, self.buyer = shop, Buyer(shop.client)
        self.order = self.buyer.held(owner=HOLDER.address)
        assert self.buyer.pay(self.order).status_code == 200
        self.ticket_id = self.buyer.look(self.order)["tickets"][0]["ticket_id"]
        close_batches(shop.services.engine, 0)
        self.until(lambda: self.token is not None, "the token")

    def turn(self) -> None:
        """What the worker does in a round, with what was put off due."""
        with self.shop.services.engine.begin() as connection:
            connection.execute(update(ChainJob).values(due_ms=0))
        self.shop.turn()

    def until(self, ready: Any, what: str) -> None:
        def once() -> object:
            self.turn()
            return ready()

        self.shop.until(once, what)

    def signed(self, by: LocalAccount, to: LocalAccount, epoch: int = 0, deadline: int = FAR, **other: Any) -> bytes:
        terms = {"chain_id": CHAIN_ID, "contract": self.contract, "token_id": self.row.token_id} | other
        message = move_typed_data(**terms, epoch=epoch, to=bytes.fromhex(to.address[2:]), deadline=deadline)
        return bytes(by.sign_message(encode_typed_data(full_message=message)).signature)

    def give(
        self, by: LocalAccount, to: LocalAccount, epoch: int = 0, signature: bytes = b"", **change: Any
    ) -> TestResponse:
        signature = signature or self.signed(by, to, epoch, change.get("deadline", FAR))
        body = {"to": to.address, "epoch": epoch, "deadline": FAR, "owner_signature": signature.hex()}
        return self.send(body | change)

    def send(self, body: dict[str, Any], key: str = "") -> TestResponse:
        path = f"/api/v1/tickets/{self.ticket_id}/moves"
        return self.shop.client.post(path, json=body, headers={"Idempotency-Key": key or new_key()})

    @property
    def contract(self) -> bytes:
        with read(self.shop.services.engine) as connection:
            return event_address(connection, 1, self.shop.event_id) or b""

    @property
    def row(self) -> Row[Any]:
        with read(self.shop.services.engine) as connection:
            return connection.execute(select(Ticket).where(Ticket.id == UUID(self.ticket_id))).one()

    @property
    def token(self) -> Row[Any] | None:
        with read(self.shop.services.engine) as connection:
            mine = (Token.event_id == self.shop.event_id) & (Token.token_id == self.row.token_id)
            return connection.execute(select(Token.__table__).where(mine)).one_or_none()

    def is_with(self, owner: LocalAccount, epoch: int) -> bool:
        row, token = self.row, self.token
        ours, theirs = (row.owner, row.epoch), (token.owner, token.epoch) if token is not None else None
        return ours == theirs == (bytes.fromhex(owner.address[2:]), epoch)


@pytest.fixture
def ticket(chain_shop: Till) -> Given:
    return Given(chain_shop)


def test_given_on_and_on_while_the_node_is_away_and_done_once_it_is_back(ticket: Given) -> None:
    """Each receiver is the owner at once, the code before is dead, and what the chain says in the end is the same."""
    before = ticket.row.serial
    with ticket.shop.node.away():
        first, second = ticket.give(HOLDER, FRIEND), ticket.give(FRIEND, THIRD, epoch=1)
        assert (first.status_code, second.status_code) == (200, 200), first.get_data(as_text=True)
        assert first.get_json()["state"] == second.get_json()["state"] == "pending"
        assert (ticket.row.owner.hex(), ticket.row.epoch) == (THIRD.address[2:].lower(), 2)
        assert (ticket.row.serial, ticket.row.holder_key) == (before + 2, None)
        assert problem(ticket.give(HOLDER, FRIEND, deadline=FAR + 1)) == (409, "wrong_epoch")
        assert ticket.buyer.look(ticket.order)["tickets"][0]["moved"]
        assert problem(ticket.buyer.give_back(ticket.order, ticket.ticket_id)) == (409, "ticket_moved")
    ticket.until(lambda: ticket.is_with(THIRD, 2), "both moves")
    ticket.until(lambda: ticket.give(HOLDER, FRIEND).get_json()["state"] == "done", "a final word")
    again = ticket.give(HOLDER, FRIEND).get_json()
    assert again["tx_hash"]
    assert ticket.is_with(THIRD, 2)
    ticket.shop.money_adds_up()


def test_stolen_forged_and_replayed_signatures_move_nothing(ticket: Given) -> None:
    other = Given(ticket.shop)
    good = ticket.signed(HOLDER, FRIEND)
    s = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141 - int.from_bytes(good[32:64])
    forged = {
        "by the receiver": ticket.signed(FRIEND, FRIEND),
        "for somebody else": ticket.signed(HOLDER, THIRD),
        "for another ticket": other.signed(HOLDER, FRIEND),
        "for another epoch": ticket.signed(HOLDER, FRIEND, epoch=1),
        "for a later deadline": ticket.signed(HOLDER, FRIEND, deadline=FAR + 1),
        "on another chain": ticket.signed(HOLDER, FRIEND, chain_id=1),
        "for another contract": ticket.signed(HOLDER, FRIEND, contract=b"\x01" * 20),
        "its twin with the high s": good[:32] + s.to_bytes(32) + bytes([55 - good[64]]),
    }
    for name, signature in forged.items():
        assert problem(ticket.give(HOLDER, FRIEND, signature=signature)) == (422, "owner_signature_invalid"), name
    assert ticket.is_with(HOLDER, 0)
    assert ticket.give(HOLDER, FRIEND, signature=good).status_code == 200
    assert problem(ticket.give(FRIEND, HOLDER, signature=good)) == (409, "wrong_epoch")
    assert other.is_with(HOLDER, 0)


def test_eight_receivers_are_promised_the_same_ticket_and_one_gets_it(ticket: Given) -> None:
    friends = [Account.create() for _ in range(8)]
    with ThreadPoolExecutor(8) as many:
        answers = list(many.map(lambda friend: ticket.give(HOLDER, friend), friends))
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 7
    assert ticket.row.epoch == 1


def test_ticket_given_away_while_its_buyer_gives_it_back_is_one_or_the_other(
    ticket: Given, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the buyer had the money, and the receiver a ticket that was never good."""
    with ticket.shop.services.engine.begin() as connection:
        connection.execute(update(Event).values(refund_until_ms=Event.doors_ms))
    given: list[Future[TestResponse]] = []
    with ThreadPoolExecutor(1) as other:

        def late(*facts: Any) -> Any:  # the tickets were looked at, and nothing is written
            given.append(other.submit(ticket.give, HOLDER, FRIEND))
            wait(given, timeout=1)
            return give_back(*facts)

        monkeypatch.setattr("backend.sales.refunds.give_back", late)
        back = ticket.buyer.give_back(ticket.order)
    assert back.status_code == 200
    assert problem(given[0].result()) == (409, "order_not_paid")
    assert (ticket.row.state, ticket.row.epoch) == ("refunded", 0)


def test_bad_wishes_are_told_what_is_wrong(ticket: Given) -> None:
    good = {"to": FRIEND.address, "epoch": 0, "deadline": FAR, "owner_signature": ticket.signed(HOLDER, FRIEND).hex()}
    bad: list[tuple[dict[str, Any], str]] = [
        ({"deadline": int(time.time()) + 3600}, "deadline_too_near"),
        ({"to": "0x" + "0" * 40}, "bad_receiver"),
        ({"to": "0x" + ticket.contract.hex()}, "bad_receiver"),
        ({"owner_signature": "00"}, "invalid_request"),
        ({"to": "somebody@example.com"}, "invalid_request"),
        ({"epoch": -1}, "invalid_request"),
        ({"deadline": 1 << 63}, "invalid_request"),
        ({"price": 1}, "unknown_field"),
    ]
    for change, code in bad:
        assert problem(ticket.send(good | change)) == (422, code), change
    key = new_key()
    assert ticket.send(good, key).status_code == ticket.send(good, key).status_code == 200
    assert problem(ticket.send(good | {"epoch": 1}, key)) == (422, "idempotency_key_reused")


def test_holder_who_moves_a_ticket_to_and_fro_at_our_cost_is_slowed_down(ticket: Given) -> None:
    for epoch, (giver, taker) in enumerate([(HOLDER, FRIEND), (FRIEND, HOLDER)] * 3):
        answer = ticket.give(giver, taker, epoch)
        assert answer.status_code == (200 if epoch < MOVES_A_DAY else 429)
    assert problem(answer) == (429, "too_many_moves")
    assert 86_000 < int(answer.headers["Retry-After"]) <= 86_400


def test_organisers_rule_freeze_and_gate_hold(ticket: Given) -> None:
    """The policy of the class, the event's freeze, and a ticket that was used at a gate."""
    engine, mine = ticket.shop.services.engine, TicketClass.event_id == ticket.shop.event_id
    with engine.begin() as connection:
        connection.execute(update(TicketClass).where(mine).values(policy="soulbound"))
    assert problem(ticket.give(HOLDER, FRIEND)) == (409, "not_transferable")
    with engine.begin() as connection:
        connection.execute(update(TicketClass).where(mine).values(policy="market_only"))
        freeze = connection.scalar(select(Event.freeze_ms).where(Event.id == ticket.shop.event_id))
        connection.execute(update(Event).values(freeze_ms=1))
    assert problem(ticket.give(HOLDER, FRIEND)) == (409, "moves_closed")
    with engine.begin() as connection:
        connection.execute(update(Event).values(freeze_ms=freeze))
        let_in(connection, ticket.row)
    assert problem(ticket.give(HOLDER, FRIEND)) == (409, "ticket_used")
    assert ticket.is_with(HOLDER, 0)


def test_moved_events_tickets_change_hands_until_its_contracts_freeze(ticket: Given) -> None:
    """The contract keeps its freeze: a receiver told "yours" after it would lose the ticket to the giver again."""
    engine, mine = ticket.shop.services.engine, Event.id == ticket.shop.event_id
    with read(engine) as connection:
        before = connection.execute(select(Event.__table__).where(mine)).one()
    assert before.chain_freeze_ms == before.freeze_ms
    day = 86_400_000
    times = Times(before.doors_ms + day, before.starts_ms + day, before.ends_ms + day, before.freeze_ms + day)
    postpone_event(engine, before.slug, times, None)
    with engine.begin() as connection:
        frozen = connection.scalar(select(Event.chain_freeze_ms).where(mine))
        connection.execute(update(Event).where(mine).values(chain_freeze_ms=1))
    assert frozen == before.freeze_ms
    assert problem(ticket.give(HOLDER, FRIEND)) == (409, "moves_closed")
    with engine.begin() as connection:
        connection.execute(update(Event).where(mine).values(**before._mapping))
    assert ticket.give(HOLDER, FRIEND).status_code == 200


def test_what_the_chain_will_never_take_is_the_givers_again_with_all_that_stood_on_it(ticket: Given) -> None:
    assert ticket.give(HOLDER, FRIEND).status_code == ticket.give(FRIEND, THIRD, epoch=1).status_code == 200
    serial = ticket.row.serial
    revoked = mark_calldata(Status.REVOKED, [ticket.row.token_id])
    ticket.shop.send("0x" + ticket.contract.hex(), "0x" + revoked.hex(), sender="0x" + OPERATOR.address.hex())
    ticket.until(lambda: ticket.row.epoch == 0, "what was taken back")
    assert ticket.row.owner.hex() == HOLDER.address[2:].lower()
    assert ticket.row.serial == serial + 1  # the receivers' codes are dead
    told = ticket.give(HOLDER, FRIEND).get_json()
    assert (told["state"], told["reason"]) == ("taken_back", "ticket_not_valid")
    assert ticket.give(FRIEND, THIRD, epoch=1).get_json()["state"] == "taken_back"
    ticket.until(lambda: not _open_moves(ticket), "an end of both jobs")


def test_overtaken_on_the_chain_the_ticket_is_whose_the_chain_says(ticket: Given) -> None:
    """A move that somebody sent past us: ours can't be any more."""
    with ticket.shop.node.away():
        assert ticket.give(HOLDER, FRIEND).status_code == 200
    past_us = move_calldata(ticket.row.token_id, bytes.fromhex(THIRD.address[2:]), FAR, ticket.signed(HOLDER, THIRD))
    ticket.shop.send("0x" + ticket.contract.hex(), "0x" + past_us.hex(), sender="0x" + OPERATOR.address.hex())
    ticket.until(lambda: ticket.is_with(THIRD, 1), "the chain's word")
    assert ticket.give(HOLDER, FRIEND).get_json()["reason"] == moves.OVERTAKEN


def let_in(connection: Connection, ticket: Row[Any]) -> None:
    """A gate's record of its admission, as it is collected."""
    record = {"log_id": ticket.id.bytes, "number": 0, "gate_number": 1, "admits": True, "at_s": 1}
    about = {"event_id": ticket.event_id, "token_id": ticket.token_id, "payload": b"", "received_ms": 1}
    connection.execute(insert(GateRecord).values(record | about))


def _open_moves(ticket: Given) -> list[int]:
    with read(ticket.shop.services.engine) as connection:
        mine = (ChainMove.ticket_id == UUID(ticket.ticket_id)) & (ChainJob.state != "final")
        return list(connection.scalars(select(ChainJob.id).join(ChainMove).where(mine)))


def test_receiver_finds_what_was_given_by_us_or_on_the_chain_and_the_giver_does_not(ticket: Given) -> None:
    def found(owner: LocalAccount) -> list[str]:
        answer = find(ticket.shop.client, owner)
        assert answer.status_code == 200
        known = [one["ticket_id"] for one in answer.get_json()["received"]]
        return [one for one in known if one == ticket.ticket_id]  # the same people were given others by other tests

    assert found(HOLDER) == found(FRIEND) == []
    with ticket.shop.node.away():
        assert ticket.give(HOLDER, FRIEND).status_code == 200
        assert (found(HOLDER), found(FRIEND)) == ([], [ticket.ticket_id])
    ticket.until(lambda: ticket.is_with(FRIEND, 1), "the move")
    assert (found(HOLDER), found(FRIEND)) == ([], [ticket.ticket_id])
    with ticket.shop.services.engine.begin() as connection:  # the chain knows more than we do
        mine = (Token.event_id == ticket.shop.event_id) & (Token.token_id == ticket.row.token_id)
        connection.execute(update(Token).where(mine).values(owner=bytes.fromhex(THIRD.address[2:]), epoch=2))
    assert (found(FRIEND), found(THIRD)) == ([], [ticket.ticket_id])
