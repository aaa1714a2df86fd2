"""Passkeys on both databases, attacked with a device in software."""

import json
import threading
from collections.abc import Callable
from functools import partial
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Engine, select

from backend.db.engine import read
from backend.db.tables.desk import DeskAccount, DeskPasskey
from backend.desk import accounts, passkeys
from backend.desk.challenges import CHALLENGE_SECONDS, Purpose, challenge, is_good
from backend.desk.passkeys import Site, add_passkey, creation_options, request_options, sign_in, site_of
from backend.desk.sessions import signed
from backend.errors import Refused
from tests.support.authenticator import Authenticator, bytes_of, text_of

SECRET = b"s" * 32
PASSWORD = "seven lanterns over the river"
SITE = site_of("https://tickets.example/shop/")
ADDRESS = "192.0.2.1"
WRONG: tuple[object, ...] = (None, 1, "é", [], {}, {"clientDataJSON": "e30"})


@pytest.fixture(autouse=True)
def _cheap_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backend.desk.passwords.PASSES", 1)
    monkeypatch.setattr("backend.desk.passwords.MEMORY_BYTES", 8192)


def hired(engine: Engine, name: str) -> UUID:
    accounts.add_account(engine, SECRET, "command line", name, "owner", PASSWORD)
    with read(engine) as connection:
        found: UUID = connection.execute(select(DeskAccount.id).where(DeskAccount.name == name)).scalar_one()
    return found


def device(seed: int = 1, site: Site = SITE, **other: bool | int) -> Authenticator:
    return Authenticator(site.origin, site.rp_id, seed=seed, **other)  # type: ignore[arg-type] # count or verifies


def add(engine: Engine, account: UUID, name: str, holder: Authenticator) -> str:
    options = creation_options(engine, SECRET, SITE, account, name)
    answer = holder.create(options)
    add_passkey(engine, SECRET, SITE, account, name, "phone", answer)
    return answer


def enter(engine: Engine, holder: Authenticator) -> str:
    return sign_in(engine, SECRET, SITE, holder.get(request_options(engine, SECRET, SITE)), ADDRESS)


def refused(action: Callable[[], object]) -> bool:
    with pytest.raises(Refused, match="passkey_refused"):
        action()
    return True


def test_a_passkey_signs_its_owner_in_until_it_is_removed(engine: Engine) -> None:
    account, holder = hired(engine, "anna"), device(count=1)
    add(engine, account, "anna", holder)
    for _again in range(2):
        found = signed(engine, enter(engine, holder))
        assert found is not None
        assert found.name == "anna"
    (kept,) = passkeys.passkeys(engine, account)
    assert (kept.label, kept.used_ms is None) == ("phone", False)
    passkeys.remove_passkey(engine, SECRET, uuid4(), "bob", kept.id)  # somebody else's wish changes nothing
    enter(engine, holder)
    passkeys.remove_passkey(engine, SECRET, account, "anna", kept.id)
    assert refused(lambda: enter(engine, holder))


def test_a_closed_or_renewed_account_has_no_way_in_by_passkey(engine: Engine) -> None:
    hired(engine, "boss")
    account, holder = hired(engine, "anna"), device()
    add(engine, account, "anna", holder)
    accounts.renew_account(engine, SECRET, "boss", "anna", PASSWORD + "s")
    assert refused(lambda: enter(engine, holder))
    add(engine, account, "anna", holder)
    accounts.close_account(engine, SECRET, "boss", "anna")
    assert refused(lambda: enter(engine, holder))


def test_a_passkey_asked_for_by_another_site_is_refused(engine: Engine) -> None:
    account, holder = hired(engine, "anna"), device()
    add(engine, account, "anna", holder)
    for elsewhere in (
        Site("https://tickets.example.evil", SITE.rp_id),
        Site("http://tickets.example", SITE.rp_id),
        Site(SITE.origin, "evil.example"),
    ):
        phished = device(site=elsewhere)
        assert refused(partial(enter, engine, phished))
        assert refused(partial(add, engine, account, "anna", phished))
    assert enter(engine, holder)


def test_a_replayed_answer_is_refused(engine: Engine) -> None:
    account, holder = hired(engine, "anna"), device()
    made = add(engine, account, "anna", holder)
    assert refused(lambda: add_passkey(engine, SECRET, SITE, account, "anna", "again", made))
    answer = holder.get(request_options(engine, SECRET, SITE))
    sign_in(engine, SECRET, SITE, answer, ADDRESS)
    assert refused(lambda: sign_in(engine, SECRET, SITE, answer, ADDRESS))


def test_one_answer_sent_by_many_at_once_lets_one_in(engine: Engine) -> None:
    account, holder = hired(engine, "anna"), device()
    add(engine, account, "anna", holder)
    answer = holder.get(request_options(engine, SECRET, SITE))
    let_in: list[str] = []

    def attempt() -> None:
        try:
            let_in.append(sign_in(engine, SECRET, SITE, answer, ADDRESS))
        except Refused:
            return

    threads = [threading.Thread(target=attempt) for _one in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(let_in) == 1


def test_a_copied_device_whose_count_goes_back_is_refused(engine: Engine) -> None:
    account, holder = hired(engine, "anna"), device(count=5)
    add(engine, account, "anna", holder)
    enter(engine, holder)
    enter(engine, holder)
    assert refused(lambda: enter(engine, device(count=5)))


def test_a_device_that_did_not_check_its_user_is_refused(engine: Engine) -> None:
    account = hired(engine, "anna")
    assert refused(lambda: add(engine, account, "anna", device(verifies=False)))
    add(engine, account, "anna", device())
    assert refused(lambda: enter(engine, device(verifies=False)))


def test_another_key_under_a_known_id_is_refused(engine: Engine) -> None:
    account, holder = hired(engine, "anna"), device()
    add(engine, account, "anna", holder)
    holder.key = device(seed=2).key
    assert refused(lambda: enter(engine, holder))


def test_a_passkey_of_one_account_is_not_taken_for_another(engine: Engine) -> None:
    anna, bob, holder = hired(engine, "anna"), hired(engine, "bob"), device()
    add(engine, anna, "anna", holder)
    assert refused(lambda: add(engine, bob, "bob", holder))
    meant_for_anna = creation_options(engine, SECRET, SITE, anna, "anna")
    other = device(seed=2).create(meant_for_anna)
    assert refused(lambda: add_passkey(engine, SECRET, SITE, bob, "bob", "x", other))


def test_a_challenge_is_good_for_its_purpose_and_time_only() -> None:
    use, other = Purpose("sign_in"), Purpose("register", "account")
    shown = challenge(SECRET, use, b"n" * 16, 1_000)
    assert is_good(SECRET, use, shown, 1_000 + CHALLENGE_SECONDS * 1000)
    assert not is_good(SECRET, use, shown, 1_001 + CHALLENGE_SECONDS * 1000)
    assert not is_good(SECRET, use, shown, 999)
    assert not is_good(SECRET, other, shown, 1_000)
    assert not is_good(b"t" * 32, use, shown, 1_000)
    assert not is_good(SECRET, use, bytes(40), 1_000)
    assert not is_good(SECRET, use, shown[:-1], 1_000)


def test_an_account_has_only_so_many(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passkeys, "MAX_PASSKEYS", 1)
    account = hired(engine, "anna")
    add(engine, account, "anna", device())
    with pytest.raises(Refused, match="too_many_passkeys"):
        add(engine, account, "anna", device(seed=2))


def test_nonsense_is_refused_and_never_breaks(engine: Engine) -> None:
    account, holder = hired(engine, "anna"), device()
    good = json.loads(holder.create(creation_options(engine, SECRET, SITE, account, "anna")))
    texts = ["", "[]", "null", "{}", "[" * 9000, "x" * 20_000, '{"rawId": 3}', '{"response": []}']
    for part in ("rawId", "id", "response", "type"):
        texts += [json.dumps({**good, part: wrong}) for wrong in WRONG]
    for part in ("clientDataJSON", "attestationObject"):
        texts += [
            json.dumps({**good, "response": {**good["response"], part: text_of(damaged)}}) for damaged in (b"", b"\xff")
        ]
        cut = text_of(bytes_of(good["response"][part])[:-7])
        texts.append(json.dumps({**good, "response": {**good["response"], part: cut}}))
    for number, text in enumerate(texts):
        assert refused(partial(add_passkey, engine, SECRET, SITE, account, "anna", "x", text)), text
        assert refused(partial(sign_in, engine, SECRET, SITE, text, f"192.0.2.{number}")), text
    with read(engine) as connection:
        assert connection.execute(select(DeskPasskey.id)).all() == []
