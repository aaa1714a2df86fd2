"""Guests' tickets, which the platform keeps, taken into a wallet by the secret of the order (SPEC 10.9)."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest
from eth_account import Account
from eth_account.signers.local import LocalAccount
from sqlalchemy import select, update
from werkzeug.test import TestResponse

from backend.chain.batcher import close_batches
from backend.credentials.keystore import KeyStore
from backend.credentials.limits import MAX_WRONG_SECRETS
from backend.credentials.messages import SignClaim
from backend.credentials.signer import Signer
from backend.db.engine import read
from backend.db.tables.events import Event, TicketClass
from backend.errors import Refused
from backend.sales.refunds import Wish, refund
from tests.backend.credentials.serving import serving
from tests.backend.sales.test_moving import FRIEND, HOLDER, THIRD, Given, let_in
from tests.support.buyer import Buyer, new_key, opens, problem
from tests.support.chain_shop import Till


class Kept(Given):
    """A guest's ticket that is on the chain, in custody."""

    def __init__(self, shop: Till) -> None:
        self.shop, self.buyer = shop, Buyer(shop.client)
        self.order = self.buyer.held()
        assert self.buyer.pay(self.order).status_code == 200
        self.ticket_id = self.buyer.look(self.order)["tickets"][0]["ticket_id"]
        close_batches(shop.services.engine, 0)
        self.until(lambda: self.token is not None, "the token")

    def claim(self, to: LocalAccount | str, key: str = "", **more: str) -> TestResponse:
        body = {"to": to if isinstance(to, str) else to.address}
        headers = {"Idempotency-Key": key or new_key()} | (more or opens(self.order))
        return self.shop.client.post(f"/api/v1/tickets/{self.ticket_id}/claims", json=body, headers=headers)

    @property
    def custody(self) -> bytes:
        with read(self.shop.services.engine) as connection:
            return bytes(connection.scalar(select(Event.custody_address).where(Event.id == self.shop.event_id)) or b"")


@pytest.fixture
def kept(chain_shop: Till) -> Iterator[Kept]:
    services = chain_shop.services
    signer = Signer(services.engine, KeyStore(services.settings.keys_dir), time.time)
    with serving(signer, services.settings.signer_socket):
        yield Kept(chain_shop)


def test_claimed_while_the_node_is_away_then_given_on_by_the_new_owner_and_on_the_chain_in_the_end(kept: Kept) -> None:
    before = kept.row
    assert before.owner == kept.custody
    with kept.shop.node.away():
        told = kept.claim(HOLDER)
        assert told.status_code == 200, told.get_data(as_text=True)
        assert (told.get_json()["state"], told.get_json()["epoch"]) == ("pending", 1)
        assert (kept.row.owner.hex(), kept.row.epoch) == (HOLDER.address[2:].lower(), 1)
        assert (kept.row.serial, kept.row.holder_key) == (before.serial + 1, None), "the code before is dead"
        assert kept.claim(HOLDER).get_json() == told.get_json(), "asked twice, done once"
        assert problem(kept.claim(FRIEND)) == (422, "owner_signature_missing"), "the holder decides now"
        assert kept.buyer.look(kept.order)["tickets"][0]["moved"]
        assert problem(kept.buyer.give_back(kept.order, kept.ticket_id)) == (409, "ticket_moved")
        assert kept.give(HOLDER, FRIEND, epoch=1).status_code == 200
    kept.until(lambda: kept.is_with(FRIEND, 2), "both on the chain")
    kept.until(lambda: kept.claim(HOLDER).get_json()["state"] == "done", "a final word")
    kept.shop.money_adds_up()


def test_neither_soulbound_nor_frozen_tickets_are_kept_from_their_own_buyer(kept: Kept) -> None:
    """The class's policy is about handing on; coming out of custody is not that (SPEC 8.6)."""
    engine, mine = kept.shop.services.engine, TicketClass.event_id == kept.shop.event_id
    with engine.begin() as connection:
        freeze = connection.scalar(select(Event.freeze_ms).where(Event.id == kept.shop.event_id))
        connection.execute(update(Event).values(freeze_ms=1))
        connection.execute(update(TicketClass).where(mine).values(policy="soulbound"))
    try:
        assert kept.claim(HOLDER).status_code == 200
        assert problem(kept.give(HOLDER, FRIEND, epoch=1)) == (409, "not_transferable"), "but it goes no further"
    finally:
        with engine.begin() as connection:
            connection.execute(update(Event).values(freeze_ms=freeze))
            connection.execute(update(TicketClass).where(mine).values(policy="market_only"))
    kept.until(lambda: kept.is_with(HOLDER, 1), "the chain")


def test_strangers_guessers_and_other_buyers_claim_nothing(kept: Kept) -> None:
    other = Kept(kept.shop)
    assert problem(kept.claim(HOLDER, Authorization="Bearer " + "x" * 43)) == (404, "unknown_order")
    assert problem(kept.claim(HOLDER, **opens(other.order))) == (404, "unknown_order")
    assert problem(kept.claim(HOLDER, Authorization="")) == (401, "order_secret_missing")
    owned = Given(kept.shop)
    kept.ticket_id, ours = owned.ticket_id, kept.ticket_id
    assert problem(kept.claim(FRIEND, **opens(owned.order))) == (422, "owner_signature_missing"), "a wallet's ticket"
    kept.ticket_id = "00000000-0000-7000-8000-000000000000"
    assert problem(kept.claim(HOLDER)) == (404, "unknown_ticket")
    kept.ticket_id = ours
    assert kept.row.owner == other.row.owner == kept.custody


def test_web_server_in_foreign_hands_gets_no_signature_without_the_orders_secret(kept: Kept) -> None:
    """The signer looks for itself, and lets nobody guess."""
    terms: dict[str, Any] = {"ticket_id": UUID(kept.ticket_id), "to": b"\x01" * 20, "epoch": 0, "deadline": 2**33}
    for count in range(MAX_WRONG_SECRETS + 1):
        with pytest.raises(Refused) as refused:
            kept.shop.services.signer.sign_claim(SignClaim(**terms, order_secret="guess"))
        assert refused.value.refusal.code == (
            "order_secret_wrong" if count < MAX_WRONG_SECRETS else "too_many_attempts"
        )
    assert kept.row.owner == kept.custody


def test_eight_claims_at_once_give_the_ticket_to_one(kept: Kept) -> None:
    wallets = [Account.create() for _ in range(8)]
    with ThreadPoolExecutor(8) as many:
        answers = list(many.map(kept.claim, wallets))
    assert sorted(answer.status_code for answer in answers)[:2] == [200, 422]
    winner = next(one for one, answer in zip(wallets, answers, strict=True) if answer.status_code == 200)
    assert kept.row.owner.hex() == winner.address[2:].lower()
    assert kept.row.epoch == 1


def test_used_refunded_and_badly_addressed_tickets_stay(kept: Kept) -> None:
    assert problem(kept.claim("0x" + "0" * 40)) == (422, "bad_receiver")
    assert problem(kept.claim("0x" + kept.custody.hex())) == (422, "bad_receiver")
    assert problem(kept.claim("ann@example.org")) == (422, "invalid_request")
    refunded = Kept(kept.shop)
    refund(kept.shop.services.engine, kept.shop.event_id, Wish(UUID(refunded.order["order_id"]), "organiser", "ill"))
    assert problem(refunded.claim(THIRD))[0] == 409
    with kept.shop.services.engine.begin() as connection:
        let_in(connection, kept.row)
    assert problem(kept.claim(THIRD)) == (409, "ticket_used")
    assert kept.row.owner == kept.custody
