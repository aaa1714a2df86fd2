"""Each guard of the signer is needed: the attack is refused with it, and succeeds once it is taken out.

Where a second guard stands behind the first (small-order keys, serials), the test takes out both and says so.
"""

import dataclasses
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account
from nacl.signing import SigningKey
from sqlalchemy import Engine, text

from backend.credentials import binding, bundle_signing, eip712, issuing
from backend.credentials.binding import Step
from backend.credentials.eip712 import recover_owner, sign_binding
from backend.credentials.keystore import KeyRole, KeyStore
from backend.credentials.limits import MAX_CREDENTIALS_PER_TICKET, MAX_WRONG_SECRETS, EventRate, WrongSecrets
from backend.credentials.messages import BindingRequest, Call, Issue, IssuedCredential
from backend.credentials.publishing import publish
from backend.db.clock import now_ms
from backend.db.engine import make_engine
from backend.db.migrate import upgrade
from backend.errors import Refused
from credential import signing
from credential.binding import Binding
from credential.bundle import encode_bundle
from tests.backend.credentials.test_bundles import ROOT, InProcess, bundle_of
from tests.backend.credentials.test_issuing import SMALL_ORDER, mirrored
from tests.backend.credentials.world import Sold, World

Patch = Callable[[pytest.MonkeyPatch], None]


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    """What is decided here does not depend on the kind of database."""
    engine = make_engine(f"sqlite:///{tmp_path}/truestub.sqlite")
    upgrade(engine)
    return engine


@dataclass(frozen=True)
class Attack:
    """A request that must not be granted, and how to take out the guard that refuses it."""

    name: str
    code: str
    attempt: Callable[[World], IssuedCredential]
    without_guard: Patch


def issue(world: World, sold: Sold, request: BindingRequest) -> IssuedCredential:
    answer = world.signer.answer(Call(request=Issue(ticket_id=sold.tickets[0], binding=request)), b"")
    assert isinstance(answer, IssuedCredential)
    return answer


def without_step(step: Step) -> Patch:
    return lambda patch: patch.setattr(binding, "STEPS", tuple(one for one in binding.STEPS if one is not step))


def always(module: Any, name: str, answer: Any) -> Patch:
    return lambda patch: patch.setattr(module, name, lambda *_arguments: answer)


def all_of(*patches: Patch) -> Patch:
    def apply(patch: pytest.MonkeyPatch) -> None:
        for one in patches:
            one(patch)

    return apply


def stranger(world: World) -> IssuedCredential:
    sold = world.sell(wallet=True)
    return issue(world, sold, world.request(dataclasses.replace(sold, account=Account.create())))


def second_form_of_a_signature(world: World) -> IssuedCredential:
    sold = world.sell(wallet=True)
    request = world.request(sold)
    assert request.owner_signature
    return issue(world, sold, request.model_copy(update={"owner_signature": mirrored(request.owner_signature)}))


def changed(world: World, **changes: Any) -> IssuedCredential:
    sold = world.sell(wallet=True)
    return issue(world, sold, world.request(sold, change=lambda one: dataclasses.replace(one, **changes)))


def seller_after_the_move(world: World) -> IssuedCredential:
    """The owner of now signs a binding of the epoch before: what an old, kept signature looks like."""
    sold = world.sell(wallet=True)
    request = world.request(sold)
    world.change_ticket(sold.tickets[0], epoch=1)
    return issue(world, sold, request)


def key_of_another_device(world: World) -> IssuedCredential:
    """The owner is made to bind a key that the device does not have."""
    sold = world.sell()
    return issue(world, sold, world.request(sold, device_key=bytes(SigningKey.generate().verify_key)))


def key_that_fits_every_message(world: World) -> IssuedCredential:
    sold = world.sell()
    return issue(world, sold, world.request(sold, device_key=SMALL_ORDER))


def guest_without_the_link(world: World) -> IssuedCredential:
    sold, mine = world.sell(), world.sell()
    return issue(world, sold, world.request(sold, order_secret=mine.secret))


def buyer_who_sold_it_on(world: World) -> IssuedCredential:
    """Has the order's secret, and no longer the ticket."""
    sold = world.sell(wallet=True)
    return issue(world, sold, world.request(sold, owner_signature=None, order_secret=sold.secret))


def money_back_and_ticket_too(world: World) -> IssuedCredential:
    sold = world.sell()
    world.change_ticket(sold.tickets[0], state="refunded")
    return issue(world, sold, world.request(sold))


def never_paid(world: World) -> IssuedCredential:
    sold = world.sell()
    world.change_order(sold, state="held")
    return issue(world, sold, world.request(sold))


def patient_guesser(world: World) -> IssuedCredential:
    sold = world.sell()
    for _ in range(MAX_WRONG_SECRETS):
        with pytest.raises(Refused, match="order_secret_wrong"):
            issue(world, sold, world.request(sold, order_secret="guess"))
    return issue(world, sold, world.request(sold))


def queue_of_phones(world: World) -> IssuedCredential:
    sold = world.sell()
    for _ in range(MAX_CREDENTIALS_PER_TICKET):
        issue(world, sold, world.request(sold, device=SigningKey.generate()))
    return issue(world, sold, world.request(sold, device=SigningKey.generate()))


def thief_of_a_withdrawn_phone(world: World) -> IssuedCredential:
    sold = world.sell()
    request = world.request(sold)
    issue(world, sold, request)
    world.change_ticket(sold.tickets[0], serial=5)
    return issue(world, sold, request)


def one_more_than_allowed(world: World) -> IssuedCredential:
    sold = world.sell()
    world.signer._issuer = dataclasses.replace(world.signer._issuer, rate=EventRate(time.time, 0, 0))
    return issue(world, sold, world.request(sold))


def any_custody_key(keys: KeyStore, event_id: Any, _owner: bytes) -> Any:
    return keys.all_of(event_id, KeyRole.CUSTODY)[0]


def give_what_is_newest(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(issuing._Issue, "_stored", lambda *_: None)


ATTACKS = [
    Attack("forged owner", "owner_signature_invalid", stranger, always(issuing, "check_owner", None)),
    Attack(
        "malleated owner signature",
        "owner_signature_invalid",
        second_form_of_a_signature,
        lambda patch: patch.setattr(eip712, "_ORDER", 2 * eip712._ORDER),
    ),
    Attack(
        "owner signature for another event",
        "possession_signature_invalid",
        lambda world: changed(world, event_tag=bytes(8)),
        all_of(without_step(binding.possession_proven), always(issuing, "check_owner", None)),
    ),
    Attack(
        "binding kept from an earlier epoch", "wrong_epoch", seller_after_the_move, without_step(binding.epoch_current)
    ),
    Attack(
        "binding number from the future",
        "wrong_binding_number",
        lambda world: changed(world, number=9),
        without_step(binding.number_follows),
    ),
    Attack(
        "expired binding",
        "binding_expired",
        lambda world: changed(world, expiry=int(time.time()) - 1),
        without_step(binding.not_expired),
    ),
    Attack(
        "key of another device",
        "possession_signature_invalid",
        key_of_another_device,
        without_step(binding.possession_proven),
    ),
    Attack(
        "small-order device key (behind three guards)",
        "device_key_invalid",
        key_that_fits_every_message,
        all_of(
            without_step(binding.device_key_usable),
            always(binding, "verify_possession", True),
            always(signing, "is_valid_holder_key", True),
        ),
    ),
    Attack(
        "guest without the order's link",
        "order_secret_wrong",
        guest_without_the_link,
        always(issuing, "check_secret", None),
    ),
    Attack(
        "order secret for a wallet's ticket",
        "owner_signature_missing",
        buyer_who_sold_it_on,
        lambda patch: patch.setattr(issuing, "custody_key", any_custody_key),
    ),
    Attack("refunded ticket", "ticket_not_valid", money_back_and_ticket_too, always(issuing, "why_not_entitled", None)),
    Attack("unpaid order", "order_not_paid", never_paid, always(issuing, "why_not_entitled", None)),
    Attack("guessing order secrets", "too_many_attempts", patient_guesser, always(WrongSecrets, "wait_seconds", 0)),
    Attack("queue of phones", "too_many_credentials", queue_of_phones, always(issuing, "seconds_until_next", 0)),
    Attack("withdrawn code asked for again", "credential_withdrawn", thief_of_a_withdrawn_phone, give_what_is_newest),
    Attack("runaway caller", "signer_busy", one_more_than_allowed, always(EventRate, "take", True)),
]


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_the_guard_is_what_stops_the_attack(
    world: World, engine: Engine, keys: KeyStore, attack: Attack, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Refused, match=attack.code):
        attack.attempt(world)
    with monkeypatch.context() as patch:
        attack.without_guard(patch)
        assert attack.attempt(world).credential, "without the guard the attack succeeds"


def test_behind_the_number_stands_the_database(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """An old phone's binding is a row already: even without the rule nothing is issued for it twice."""
    sold = world.sell(wallet=True)
    old_phone = world.request(sold)
    issue(world, sold, old_phone)
    issue(world, sold, world.request(sold, device=SigningKey.generate()))
    monkeypatch.setattr(binding, "STEPS", tuple(one for one in binding.STEPS if one is not binding.number_follows))
    with pytest.raises(Refused, match="signer_busy"):
        issue(world, sold, old_phone)
    assert world.ticket(sold.tickets[0]).serial == 2


def test_the_two_forms_of_a_signature_recover_the_same_owner() -> None:
    """Why the upper half of s must be refused: nothing else tells the forms apart."""
    account, bound = Account.create(), Binding(bytes(8), 1, 0, 1, bytes(32), 1)
    signature = sign_binding(bytes(16), bound, account)
    assert recover_owner(bytes(16), bound, signature) == bytes.fromhex(account.address[2:])
    assert recover_owner(bytes(16), bound, mirrored(signature)) is None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(eip712, "_ORDER", 2 * eip712._ORDER)
        assert recover_owner(bytes(16), bound, mirrored(signature)) == bytes.fromhex(account.address[2:])


def test_a_bundle_from_the_future_is_signed_only_without_the_guard(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(world.engine, [ROOT])
    signer = InProcess(world)
    bundle = bundle_of(world, signer)
    later = int(time.time()) + 86400
    future = encode_bundle(dataclasses.replace(bundle, version=bundle.version + 1, issued_at=later))
    with pytest.raises(Refused, match="bad_bundle"):
        signer.sign_bundle(world.event_id, future)
    monkeypatch.setattr(bundle_signing, "_why_not", lambda *_: None)
    assert signer.sign_bundle(world.event_id, future)


def test_the_databases_clock_is_read_inside_the_transaction(world: World) -> None:
    """What `rows_through` rests on: a credential's time is never from before its transaction began."""
    with world.engine.begin() as connection:
        before = now_ms(connection)
    sold = world.sell()
    issued = issue(world, sold, world.request(sold))
    with world.engine.connect() as connection:
        times = connection.execute(text("SELECT issued_ms FROM credentials")).scalars().all()
    assert all(time_ms >= before for time_ms in times)
    assert issued.serial == 1
