"""What is shown when: fresh, signed by this device, and gone after ten seconds."""

import hashlib
from uuid import UUID

import pytest
from nacl.signing import SigningKey

from credential.body import Body
from credential.codes import Answer, CompactCode, FullCode, decode_code
from credential.digits import from_digits
from credential.ids import key_id
from credential.signing import public_key_of, sign_credential
from tests.wallet.home import PHRASE
from wallet.errors import WalletError
from wallet.keys import device_key, seed_of
from wallet.records import EventFacts, Ticket
from wallet.show import Kind, answer, clock_sentence, duration, is_clock_wrong, present, warnings

NOW = 1_900_000_000
SEED = seed_of(PHRASE)
TAG = bytes.fromhex("0123456789abcdef")
TOKEN = (3 << 16) | 7


def _ticket(**changes: object) -> Ticket:
    key = device_key(SEED, TAG, TOKEN, 1)
    issuing = SigningKey(hashlib.sha256(b"issue").digest())
    issuer = key_id(public_key_of(issuing))
    body = Body(0, issuer, TAG, TOKEN, 4, 1, 1, 0, 0, NOW - 3600, 600, NOW - 60, public_key_of(key))
    event = EventFacts(
        slug="concert",
        id=UUID(int=1),
        platform_id=bytes(16),
        tag=TAG,
        index=7,
        name="Night of Numbers",
        venue="Old Mill",
        time_zone="Europe/Berlin",
        doors_at=NOW,
        starts_at=NOW,
        ends_at=NOW,
    )
    ticket = Ticket(
        id=UUID(int=2),
        purchase=UUID(int=3),
        server="https://tickets.example",
        event=event,
        class_code="standing",
        seat=None,
        zone=1,
        token_id=TOKEN,
        serial=4,
        epoch=0,
        number=1,
        credential=sign_credential(body, issuing),
        not_before=NOW - 3600,
        not_after=NOW + 32_400,
        issuer="verified",
        stored_at=NOW - 60,
        stage="batched",
    )
    return ticket.model_copy(update=changes)


def _decoded(digits: str) -> object:
    payload = from_digits(digits)
    assert isinstance(payload, bytes)
    return decode_code(payload)


def test_full_code_carries_credential_and_time_signed_by_this_device() -> None:
    shown = present(_ticket(), SEED, Kind.FULL, NOW)
    code = _decoded(shown.digits)
    assert isinstance(code, FullCode)
    assert (code.timestamp, shown.timestamp, shown.until) == (NOW, NOW, NOW + 10)
    assert code.is_signed_by_holder()


def test_compact_code_names_the_ticket_and_is_signed_by_this_device() -> None:
    shown = present(_ticket(), SEED, Kind.COMPACT, NOW)
    code = _decoded(shown.digits)
    assert isinstance(code, CompactCode)
    assert (code.event_index, code.token_id, code.serial, code.timestamp) == (7, TOKEN, 4, NOW)
    assert code.is_signed_by_holder(TAG, public_key_of(device_key(SEED, TAG, TOKEN, 1)))


def test_each_ten_seconds_give_another_code() -> None:
    shown = [present(_ticket(), SEED, Kind.FULL, NOW + 10 * turn).digits for turn in range(5)]
    assert len(set(shown)) == 5


def test_a_token_beyond_the_compact_form_has_only_a_full_code() -> None:
    with pytest.raises(WalletError) as caught:
        present(_ticket(token_id=1 << 40), SEED, Kind.COMPACT, NOW)
    assert caught.value.code == "no_compact_code"


@pytest.mark.parametrize("typed", ["017123456", "017 123 456", "017-123456"])
def test_answer_is_signed_for_that_gate_and_challenge(typed: str) -> None:
    shown = answer(_ticket(), SEED, typed, NOW)
    code = _decoded(shown.digits)
    assert isinstance(code, Answer)
    assert (code.gate_number, code.challenge, code.timestamp) == (17, 123456, NOW)
    assert code.is_signed_by_holder()


@pytest.mark.parametrize("typed", ["", "12345678", "1234567890", "000123456", "01712345x", "٠١٧١٢٣٤٥٦"])
def test_what_is_no_challenge_is_not_answered(typed: str) -> None:
    with pytest.raises(WalletError) as caught:
        answer(_ticket(), SEED, typed, NOW)
    assert caught.value.code == "bad_challenge"


@pytest.mark.parametrize("now", [-1, 1 << 32])
def test_a_clock_beyond_the_format_is_named(now: int) -> None:
    with pytest.raises(WalletError) as caught:
        present(_ticket(), SEED, Kind.FULL, now)
    assert caught.value.code == "bad_time"


def test_a_clock_before_the_ticket_came_is_wrong_by_at_least_that_much() -> None:
    (sentence,) = warnings(_ticket(), NOW - 60 - 7200)
    assert "at least 2 h 0 min behind" in sentence


def test_not_yet_over_and_superseded_are_said() -> None:
    assert warnings(_ticket(), NOW) == []
    early = _ticket(not_before=NOW + 3 * 86_400 + 3600)
    assert "3 d 1 h from now" in warnings(early, NOW)[0]
    assert "ended" in warnings(_ticket(), NOW + 40_000)[0]
    assert "no longer honours" in warnings(_ticket(state="revoked"), NOW)[0]
    assert "Another device" in warnings(_ticket(superseded=True), NOW)[0]


def test_clock_hint_says_how_much_and_which_way() -> None:
    assert not is_clock_wrong(4)
    assert is_clock_wrong(-5)
    assert "2 min 5 s ahead" in clock_sentence(125)
    assert "40 s behind" in clock_sentence(-40)
    assert duration(90_061) == "1 d 1 h"
