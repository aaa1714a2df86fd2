"""Who gets a credential, and everybody who does not. Each runs on SQLite and on PostgreSQL."""

import dataclasses
import secrets
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest
from eth_account import Account
from nacl.signing import SigningKey
from sqlalchemy import delete, func, select

from backend.credentials.keystore import KeyStore
from backend.credentials.limits import (
    CREDENTIAL_WINDOW_SECONDS,
    MAX_CREDENTIALS_PER_TICKET,
    MAX_WRONG_SECRETS,
    WRONG_SECRET_WINDOW_SECONDS,
    EventRate,
    WrongSecrets,
)
from backend.credentials.messages import BindingRequest, Call, Issue, IssuedCredential
from backend.credentials.signer import Signer
from backend.credentials.validity import AFTER_END_SECONDS, BEFORE_DOORS_SECONDS
from backend.db.tables.credentials import Binding as BindingRow
from backend.db.tables.credentials import Credential as CredentialRow
from backend.errors import Refused
from credential.binding import Binding
from credential.codes import Credential, decode_credential
from tests.backend.credentials.world import HOUR, Sold, World, make_world

SECP256K1_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
SMALL_ORDER = bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a")  # a point of order 8


def issue(world: World, sold: Sold, request: BindingRequest | None = None, position: int = 0) -> IssuedCredential:
    call = Call(request=Issue(ticket_id=sold.tickets[position], binding=request or world.request(sold, position)))
    answer = world.signer.answer(call, b"")
    assert isinstance(answer, IssuedCredential)
    return answer


def refusal(world: World, sold: Sold, request: BindingRequest, position: int = 0) -> tuple[str, dict[str, Any]]:
    before = counts(world)
    with pytest.raises(Refused) as caught:
        issue(world, sold, request, position)
    assert counts(world) == before, "a refusal stores nothing"
    assert len(caught.value.refusal.sentence) > 10
    return caught.value.refusal.code, caught.value.refusal.details


def refusal_code(world: World, sold: Sold, request: BindingRequest, position: int = 0) -> str:
    return refusal(world, sold, request, position)[0]


def counts(world: World) -> tuple[int, int]:
    with world.engine.connect() as connection:
        bindings, credentials = (
            connection.scalar(select(func.count()).select_from(table)) for table in (BindingRow, CredentialRow)
        )
    assert bindings is not None
    assert credentials is not None
    return bindings, credentials


def decoded(issued: IssuedCredential) -> Credential:
    credential = decode_credential(issued.credential)
    assert isinstance(credential, Credential)
    return credential


# --- what a buyer gets ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wallet", [True, False], ids=["own wallet", "custody"])
def test_a_paid_ticket_gets_a_credential_that_says_what_it_is(world: World, keys: KeyStore, wallet: bool) -> None:
    sold = world.sell(2, wallet=wallet)
    issued = issue(world, sold, position=1)
    credential, row = decoded(issued), world.ticket(sold.tickets[1])
    body = credential.body
    assert (body.event_tag, body.token_id, body.serial) == (world.tag, row.token_id, 1)
    assert (body.class_number, body.zone, body.seat) == (1, 1, 0)
    assert body.holder_key == bytes(world.devices[row.id].verify_key)
    assert abs(body.issued_at - time.time()) < 30
    assert (issued.not_before, issued.expires) == (body.not_before, body.not_after)
    assert (row.serial, row.binding_number, row.holder_key) == (1, 1, body.holder_key)
    from backend.credentials.event_keys import prepare_event

    public = prepare_event(world.engine, keys, world.event_id)
    assert credential.is_signed_by(public.issuing_public_key)


def test_the_window_covers_doors_and_a_late_end(world: World) -> None:
    sold = world.sell()
    issued = issue(world, sold)
    with world.engine.connect() as connection:
        from backend.db.tables.events import Event

        doors_ms, ends_ms = connection.execute(select(Event.doors_ms, Event.ends_ms)).one()
    assert issued.not_before == doors_ms // 1000 - BEFORE_DOORS_SECONDS
    assert issued.expires >= ends_ms // 1000 + AFTER_END_SECONDS
    assert issued.expires - (ends_ms // 1000 + AFTER_END_SECONDS) < 60


def test_the_same_request_again_gives_the_same_bytes(world: World) -> None:
    sold = world.sell()
    request = world.request(sold)
    first = issue(world, sold, request)
    assert issue(world, sold, request) == first
    assert counts(world) == (1, 1)


def test_a_second_device_gets_the_next_serial(world: World) -> None:
    sold = world.sell()
    assert issue(world, sold).serial == 1
    second = issue(world, sold, world.request(sold, device=SigningKey.generate()))
    assert (second.serial, second.binding_number) == (2, 2)


def test_the_evidence_of_a_custody_binding_is_signed_by_custody(world: World) -> None:
    sold = world.sell()
    request = world.request(sold)
    issue(world, sold, request)
    with world.engine.connect() as connection:
        row = connection.execute(select(BindingRow)).one()
    assert row.owner == world.custody
    binding = Binding(world.tag, world.ticket(sold.tickets[0]).token_id, 0, 1, request.device_key, request.expiry)
    from backend.credentials.eip712 import recover_owner

    assert recover_owner(world.platform_id, binding, row.owner_signature) == world.custody
    assert row.possession_signature == request.possession_signature


def test_two_phones_race_and_one_wins(world: World) -> None:
    sold = world.sell()
    requests = [world.request(sold, device=SigningKey.generate()) for _ in range(6)]
    barrier = threading.Barrier(len(requests))

    def race(request: BindingRequest) -> IssuedCredential | Refused:
        barrier.wait()
        try:
            return issue(world, sold, request)
        except Refused as refused:
            return refused

    with ThreadPoolExecutor(len(requests)) as pool:
        outcomes = list(pool.map(race, requests))
    refused = [outcome for outcome in outcomes if isinstance(outcome, Refused)]
    assert len(refused) == len(requests) - 1
    for one in refused:
        assert (one.refusal.code, one.refusal.details) == ("wrong_binding_number", {"next_number": 2})
    assert counts(world) == (1, 1)


def test_two_signers_on_one_database_never_share_a_serial(world: World, keys: KeyStore) -> None:
    sold = world.sell(4)
    signers = [world.signer, Signer(world.engine, keys, time.time)]
    used: list[tuple[int, int]] = []
    refusals: set[str] = set()

    def rebind(number: int) -> None:
        position = number % 4
        call = Issue(
            ticket_id=sold.tickets[position], binding=world.request(sold, position, device=SigningKey.generate())
        )
        try:
            answer = signers[number % 2].answer(Call(request=call), b"")
        except Refused as refused:
            refusals.add(refused.refusal.code)
            return
        assert isinstance(answer, IssuedCredential)
        used.append((answer.token_id, answer.serial))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(rebind, range(32)))
    assert refusals <= {"wrong_binding_number", "too_many_credentials"}
    assert len(used) == len(set(used)) == counts(world)[1]
    for ticket in sold.tickets:
        row = world.ticket(ticket)
        serials = sorted(serial for token, serial in used if token == row.token_id)
        assert serials == list(range(1, row.serial + 1)), "serials have no gaps and none is used twice"


# --- tickets that may not have one ------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["held", "expired", "cancelled", "refunded"])
def test_an_order_that_is_not_paid_gets_nothing(world: World, state: str) -> None:
    sold = world.sell()
    world.change_order(sold, state=state)
    assert refusal(world, sold, world.request(sold)) == ("order_not_paid", {"state": state})


@pytest.mark.parametrize("state", ["refunded", "revoked", "suspended"])
def test_a_ticket_that_was_taken_back_gets_nothing(world: World, state: str) -> None:
    sold = world.sell()
    request = world.request(sold)
    issue(world, sold, request)
    world.change_ticket(sold.tickets[0], state=state)
    assert refusal(world, sold, request) == ("ticket_not_valid", {"state": state})


def test_before_its_batch_closes_a_ticket_is_not_ready(world: World) -> None:
    sold = world.sell(batched=False)
    code, details = refusal(world, sold, world.request(sold))
    assert code == "ticket_not_ready"
    assert details["retry_after"] >= 1
    world.close_batch()
    assert issue(world, sold).serial == 1


def test_an_unknown_ticket(world: World) -> None:
    sold = dataclasses.replace(world.sell(), tickets=(uuid4(),))
    request = world.request(world.sell())
    assert refusal_code(world, sold, request) == "unknown_ticket"


def test_a_cancelled_event(world: World) -> None:
    sold = world.sell()
    world.change_event(state="cancelled")
    assert refusal_code(world, sold, world.request(sold)) == "event_cancelled"


def test_an_event_that_is_over(world: World) -> None:
    sold = world.sell()
    hours_ago = int(time.time() * 1000) - 24 * HOUR * 1000
    world.change_event(doors_ms=hours_ago, ends_ms=hours_ago + HOUR * 1000)
    assert refusal_code(world, sold, world.request(sold)) == "event_over"


def test_serials_end_at_two_bytes(world: World) -> None:
    sold = world.sell()
    world.change_ticket(sold.tickets[0], serial=0xFFFF)
    assert refusal_code(world, sold, world.request(sold)) == "serials_exhausted"


# --- attacks on the binding -------------------------------------------------------------------------------------------


def test_an_old_phones_binding_cannot_be_replayed(world: World) -> None:
    sold = world.sell(wallet=True)
    old_phone = world.request(sold)
    issue(world, sold, old_phone)
    issue(world, sold, world.request(sold, device=SigningKey.generate()))
    assert refusal(world, sold, old_phone) == ("wrong_binding_number", {"next_number": 3})


def test_a_binding_from_the_future_is_refused(world: World) -> None:
    sold = world.sell(wallet=True)
    request = world.request(sold, change=lambda binding: dataclasses.replace(binding, number=2))
    assert refusal(world, sold, request) == ("wrong_binding_number", {"next_number": 1})


def test_number_zero_is_no_repeat_of_nothing(world: World) -> None:
    sold = world.sell(wallet=True)
    request = world.request(sold, change=lambda binding: dataclasses.replace(binding, number=0))
    assert refusal_code(world, sold, request) == "wrong_binding_number"


def test_a_binding_of_another_ticket_is_refused(world: World) -> None:
    sold = world.sell(2, wallet=True)
    assert refusal_code(world, sold, world.request(sold, 0), position=1) == "possession_signature_invalid"


def other_token(binding: Binding) -> Binding:
    return dataclasses.replace(binding, token_id=binding.token_id + 1)


def other_event(binding: Binding) -> Binding:
    return dataclasses.replace(binding, event_tag=secrets.token_bytes(8))


@pytest.mark.parametrize("change", [other_token, other_event])
@pytest.mark.parametrize("forged", ["both", "owner alone"])
def test_signatures_for_something_else_do_not_fit(
    world: World, change: Callable[[Binding], Binding], forged: str
) -> None:
    sold = world.sell(wallet=True)
    request = world.request(sold, change=change)
    if forged == "both":
        assert refusal_code(world, sold, request) == "possession_signature_invalid"
        return
    good = world.request(sold)
    assert good.owner_signature != request.owner_signature
    mixed = good.model_copy(update={"owner_signature": request.owner_signature})
    assert refusal_code(world, sold, mixed) == "owner_signature_invalid"


def test_a_binding_made_for_another_platform_is_refused(world: World) -> None:
    sold = world.sell(wallet=True)
    foreign = world.request(sold, platform_id=secrets.token_bytes(16))
    assert refusal_code(world, sold, foreign) == "possession_signature_invalid"
    mixed = world.request(sold).model_copy(update={"owner_signature": foreign.owner_signature})
    assert refusal_code(world, sold, mixed) == "owner_signature_invalid"


def test_a_binding_of_an_earlier_epoch_is_refused(world: World) -> None:
    sold = world.sell(wallet=True)
    before_the_move = world.request(sold)
    world.change_ticket(sold.tickets[0], epoch=1)
    assert refusal(world, sold, before_the_move) == ("wrong_epoch", {"epoch": 1})


def test_an_expired_binding_is_refused(world: World) -> None:
    sold = world.sell(wallet=True)
    request = world.request(sold, change=lambda binding: dataclasses.replace(binding, expiry=int(time.time())))
    assert refusal_code(world, sold, request) == "binding_expired"


def test_a_device_key_of_small_order_is_refused(world: World) -> None:
    """Under such a key one signature fits every message: the device would be everybody's."""
    sold = world.sell()
    request = world.request(sold, device_key=SMALL_ORDER, possession_signature=SMALL_ORDER + bytes(32))
    assert refusal_code(world, sold, request) == "device_key_invalid"


def test_somebody_elses_device_key_is_refused(world: World) -> None:
    sold = world.sell()
    other = bytes(SigningKey.generate().verify_key)
    assert refusal_code(world, sold, world.request(sold, device_key=other)) == "possession_signature_invalid"


def test_an_owner_who_does_not_own_the_ticket_is_refused(world: World) -> None:
    sold = world.sell(wallet=True)
    thief = dataclasses.replace(sold, account=Account.create())
    assert refusal_code(world, sold, world.request(thief)) == "owner_signature_invalid"


def test_a_wallet_cannot_take_a_ticket_out_of_custody(world: World) -> None:
    sold = world.sell()
    thief = dataclasses.replace(sold, account=Account.create())
    assert refusal_code(world, sold, world.request(thief)) == "owner_signature_invalid"


def mirrored(signature: bytes) -> bytes:
    s = SECP256K1_ORDER - int.from_bytes(signature[32:64])
    return signature[:32] + s.to_bytes(32) + bytes([55 - signature[64]])


def test_a_malleated_owner_signature_is_refused(world: World) -> None:
    """The upper half of s recovers the same owner: evidence must have one form."""
    sold = world.sell(wallet=True)
    request = world.request(sold)
    assert request.owner_signature
    high_s = request.model_copy(update={"owner_signature": mirrored(request.owner_signature)})
    assert refusal_code(world, sold, high_s) == "owner_signature_invalid"


@pytest.mark.parametrize(
    "signature",
    [
        bytes(65),
        bytes(64) + b"\x1b",
        b"\xff" * 64 + b"\x1b",
        bytes(31) + b"\x05" + bytes(31) + b"\x01" + b"\x1b",  # r is no point of the curve
    ],
    ids=["zeros", "zero r and s", "beyond the order", "r off the curve"],
)
def test_nonsense_owner_signatures_are_refused(world: World, signature: bytes) -> None:
    sold = world.sell(wallet=True)
    assert refusal_code(world, sold, world.request(sold, owner_signature=signature)) == "owner_signature_invalid"


@pytest.mark.parametrize("v", [0, 1, 26, 29, 255])
def test_other_recovery_values_are_refused(world: World, v: int) -> None:
    sold = world.sell(wallet=True)
    request = world.request(sold)
    assert request.owner_signature
    odd = request.model_copy(update={"owner_signature": request.owner_signature[:64] + bytes([v])})
    assert refusal_code(world, sold, odd) == "owner_signature_invalid"


# --- custody and its secret -------------------------------------------------------------------------------------------


def test_custody_signs_for_nobody_without_the_orders_secret(world: World) -> None:
    sold, other = world.sell(), world.sell()
    assert refusal_code(world, sold, world.request(sold, order_secret=None)) == "order_secret_missing"
    assert refusal_code(world, sold, world.request(sold, order_secret=other.secret)) == "order_secret_wrong"
    assert refusal_code(world, sold, world.request(sold, order_secret="")) == "order_secret_wrong"


def test_custody_does_not_sign_for_a_ticket_that_a_wallet_owns(world: World) -> None:
    """The buyer's order secret alone must not bind a ticket that the buyer's wallet, or its next owner, holds."""
    sold = world.sell(wallet=True)
    request = world.request(sold, owner_signature=None, order_secret=sold.secret)
    assert refusal_code(world, sold, request) == "owner_signature_missing"


def test_guessing_an_orders_secret_is_throttled(world: World) -> None:
    sold, other = world.sell(), world.sell()
    for _ in range(MAX_WRONG_SECRETS):
        assert refusal_code(world, sold, world.request(sold, order_secret="guess")) == "order_secret_wrong"
    code, details = refusal(world, sold, world.request(sold))
    assert code == "too_many_attempts", "the right secret waits too: else waiting would tell"
    assert 0 < details["retry_after"] <= WRONG_SECRET_WINDOW_SECONDS + 1
    assert issue(world, other).serial == 1, "other orders go on"


def test_the_throttle_opens_again() -> None:
    now = 1000.0
    throttle, order = WrongSecrets(lambda: now), uuid4()
    for _ in range(MAX_WRONG_SECRETS):
        assert throttle.wait_seconds(order) == 0
        throttle.record(order)
    wait = throttle.wait_seconds(order)
    now += wait - 2
    assert throttle.wait_seconds(order) > 0
    now += 2
    assert throttle.wait_seconds(order) == 0


# --- limits -----------------------------------------------------------------------------------------------------------


def test_a_ticket_cannot_be_passed_round_a_queue_of_phones(world: World) -> None:
    sold = world.sell()
    for _ in range(MAX_CREDENTIALS_PER_TICKET):
        issue(world, sold, world.request(sold, device=SigningKey.generate()))
    code, details = refusal(world, sold, world.request(sold, device=SigningKey.generate()))
    assert code == "too_many_credentials"
    assert CREDENTIAL_WINDOW_SECONDS - 60 < details["retry_after"] <= CREDENTIAL_WINDOW_SECONDS + 1


def test_a_runaway_caller_is_slowed_down() -> None:
    now = 0.0
    rate, event = EventRate(lambda: now, per_second=2, burst=3), uuid4()
    assert [rate.take(event) for _ in range(4)] == [True, True, True, False]
    assert rate.take(uuid4()), "each event has its own"
    now = 1.0
    assert [rate.take(event) for _ in range(3)] == [True, True, False]


def test_before_init_the_signer_says_so(engine: Any, keys: KeyStore) -> None:
    from backend.db.tables.events import Platform

    world = make_world(engine, keys)
    sold = world.sell()
    request = world.request(sold)
    with engine.begin() as connection:
        connection.execute(delete(Platform))
    assert refusal_code(world, sold, request) == "not_initialised"
