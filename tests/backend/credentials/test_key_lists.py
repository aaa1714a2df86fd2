"""Whom gates are told to trust: publishing, rotating and revoking keys, and what the signer makes of it."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import UUID

import pytest
from nacl.signing import SigningKey
from sqlalchemy import Engine, func, select

from backend.credentials import event_keys
from backend.credentials.event_keys import prepare_event
from backend.credentials.key_lists import LIST_DAYS, RENEW_BELOW_DAYS, Roots, next_key_list, says_the_same
from backend.credentials.keystore import KeyRole, KeyStore
from backend.credentials.messages import BindingRequest, Call, Issue, IssuedCredential
from backend.credentials.publishing import publish, revoke, rotate, trust_root
from backend.credentials.root_files import create_root, load_roots
from backend.db.tables.credentials import KeyList as KeyListRow
from backend.errors import Refused, SettingError
from credential.codes import Credential, decode_credential
from credential.ids import key_id
from credential.keylist import KeyList, Reason, Role, TrustRoot, verify_key_list
from credential.signing import public_key_of
from tests.backend.credentials.world import Sold, World

DAY = 86400
ROOTS = [SigningKey(bytes([number]) * 32) for number in range(1, 4)]


class Rotator:
    """The signer without its socket, as far as rotation needs it."""

    def __init__(self, engine: Engine, keys: KeyStore) -> None:
        self._engine, self._keys = engine, keys

    def rotate_key(self, event_id: UUID, role: str, current: bytes) -> bytes:
        return event_keys.rotate_key(self._engine, self._keys, event_id, KeyRole(role), current)


@pytest.fixture
def rotated(world: World, keys: KeyStore) -> Callable[[KeyRole], KeyList]:
    rotator = Rotator(world.engine, keys)
    return lambda role: rotate(world.engine, rotator, ROOTS[:1], world.event_id, role).key_list  # type: ignore[arg-type]


def lists(engine: Engine) -> list[bytes]:
    with engine.connect() as connection:
        return list(connection.scalars(select(KeyListRow.data).order_by(KeyListRow.version)))


def issue(world: World, sold: Sold, request: BindingRequest | None = None) -> IssuedCredential:
    call = Issue(ticket_id=sold.tickets[0], binding=request or world.request(sold))
    issued = world.signer.answer(Call(request=call), b"")
    assert isinstance(issued, IssuedCredential)
    return issued


def signed_with(issued: IssuedCredential) -> bytes:
    credential = decode_credential(issued.credential)
    assert isinstance(credential, Credential)
    return credential.body.key_id


def walk(engine: Engine, now: int) -> KeyList:
    """As a gate does that starts from the trust root and takes every list in turn."""
    first, *rest = lists(engine)
    start = trust_root_of_first(first)
    trusted: KeyList | TrustRoot = start
    for data in (first, *rest):
        verdict = verify_key_list(data, trusted, now)
        assert isinstance(verdict, KeyList), verdict
        trusted = verdict
    assert isinstance(trusted, KeyList)
    return trusted


def trust_root_of_first(data: bytes) -> TrustRoot:
    from credential.keylist import decode_key_list

    decoded = decode_key_list(data)
    assert isinstance(decoded, tuple)
    return TrustRoot(decoded[0].platform_id, decoded[0].threshold, decoded[0].root_keys)


def test_a_published_list_names_every_events_keys(world: World, keys: KeyStore) -> None:
    published = publish(world.engine, ROOTS[:1])
    named = prepare_event(world.engine, keys, world.event_id)
    assert published.changed
    assert published.key_list.version == 1
    assert {(entry.public_key, entry.role) for entry in published.key_list.entries} == {
        (named.issuing_public_key, Role.ISSUING),
        (named.bundle_public_key, Role.BUNDLE),
    }
    assert all(entry.event_tag == world.tag for entry in published.key_list.entries)
    assert trust_root(world.engine).root_keys == (public_key_of(ROOTS[0]),)
    assert walk(world.engine, published.key_list.issued) == published.key_list


def test_publishing_again_says_nothing_new(world: World) -> None:
    first = publish(world.engine, ROOTS[:1])
    second = publish(world.engine, ROOTS[:1])
    assert (second.changed, second.key_list) == (False, first.key_list)
    assert len(lists(world.engine)) == 1


def test_a_list_is_renewed_before_it_expires() -> None:
    roots = Roots(1, (public_key_of(ROOTS[0]),))
    first = next_key_list(None, bytes(16), roots, [], 1_000_000)
    assert first.expires == 1_000_000 + LIST_DAYS * DAY
    later = first.expires - RENEW_BELOW_DAYS * DAY
    assert says_the_same(first, next_key_list(first, bytes(16), roots, [], later), later)
    assert not says_the_same(first, next_key_list(first, bytes(16), roots, [], later + 1), later + 1)


def test_a_list_that_gates_would_refuse_is_not_published(world: World) -> None:
    """A stranger's root must not become the platform's newest word."""
    publish(world.engine, ROOTS[:1])
    with pytest.raises(Refused, match="roots_not_trusted"):
        publish(world.engine, ROOTS[1:2], Roots(1, (public_key_of(ROOTS[1]),)))
    assert len(lists(world.engine)) == 1


def test_roots_are_replaced_with_the_consent_of_the_old(world: World) -> None:
    first = publish(world.engine, ROOTS[:1])
    both = Roots(2, tuple(public_key_of(root) for root in ROOTS[1:]))
    second = publish(world.engine, ROOTS, both)
    assert (second.key_list.threshold, len(second.key_list.root_keys)) == (2, 2)
    assert walk(world.engine, first.key_list.issued).version == 2
    with pytest.raises(Refused, match="roots_not_trusted"):
        revoke(world.engine, ROOTS[:2], second.key_list.entries[0].key_id, Reason.COMPROMISED)
    revoked = revoke(world.engine, ROOTS[1:], second.key_list.entries[0].key_id, Reason.COMPROMISED)
    assert revoked.key_list.version == 3


def test_two_who_publish_at_once_make_one_list_each_version(world: World) -> None:
    def one(_number: int) -> str:
        try:
            publish(world.engine, ROOTS[:1])
        except Refused as refused:
            return refused.refusal.code
        return "published"

    with ThreadPoolExecutor(4) as pool:
        said = set(pool.map(one, range(4)))
    assert said <= {"published", "key_list_changed"}
    stored = lists(world.engine)
    with world.engine.connect() as connection:
        assert connection.scalar(select(func.max(KeyListRow.version))) == len(stored)


def test_before_the_first_list_tickets_are_issued_all_the_same(world: World) -> None:
    """The root's keeper comes in once a month; sales don't wait."""
    issued = issue(world, world.sell())
    published = publish(world.engine, ROOTS[:1]).key_list
    entry = published.find(signed_with(issued), Role.ISSUING)
    assert entry is not None
    credential = decode_credential(issued.credential)
    assert isinstance(credential, Credential)
    assert entry.may_sign_at(credential.body.issued_at), "and gates that get the list later honour it"


def test_a_rotated_keys_tickets_go_on_and_new_ones_use_the_new_key(
    world: World, rotated: Callable[[KeyRole], KeyList]
) -> None:
    publish(world.engine, ROOTS[:1])
    before = issue(world, world.sell())
    after_rotation = rotated(KeyRole.ISSUING)
    after = issue(world, world.sell())
    assert signed_with(before) != signed_with(after)
    old, new = (after_rotation.find(signed_with(one), Role.ISSUING) for one in (before, after))
    assert old is not None
    assert new is not None
    assert (old.reason, new.reason) == (Reason.ROTATED, Reason.NONE)
    credential = decode_credential(before.credential)
    assert isinstance(credential, Credential)
    assert old.may_sign_at(credential.body.issued_at)
    assert not old.may_sign_at(old.revoked_at + 1)


def test_a_key_is_not_used_before_gates_can_know_it(world: World, keys: KeyStore) -> None:
    publish(world.engine, ROOTS[:1])
    sold = world.sell()
    named = prepare_event(world.engine, keys, world.event_id)
    unlisted = event_keys.rotate_key(world.engine, keys, world.event_id, KeyRole.ISSUING, named.issuing_public_key)
    assert signed_with(issue(world, sold)) == key_id(named.issuing_public_key) != key_id(unlisted)


def test_a_rotation_that_stopped_half_way_is_finished_by_repeating_it(
    world: World, rotated: Callable[[KeyRole], KeyList], monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(world.engine, ROOTS[:1])

    def stop(place: str) -> None:
        raise ConnectionError(place)

    with monkeypatch.context() as patch:
        patch.setattr("backend.credentials.publishing.reach", stop)
        with pytest.raises(ConnectionError):
            rotated(KeyRole.BUNDLE)
    entries = rotated(KeyRole.BUNDLE).entries
    assert [entry.reason for entry in entries if entry.role is Role.BUNDLE].count(Reason.NONE) == 1
    assert len(entries) == 3, "two bundle keys and one issuing key: no key was made twice"


def test_a_compromised_key_signs_no_more_and_its_tickets_are_issued_anew(
    world: World, rotated: Callable[[KeyRole], KeyList]
) -> None:
    publish(world.engine, ROOTS[:1])
    sold = world.sell(wallet=True)
    request = world.request(sold)
    stolen = issue(world, sold, request)
    revoke(world.engine, ROOTS[:1], signed_with(stolen), Reason.COMPROMISED)
    with pytest.raises(Refused, match="no_usable_key"):
        issue(world, sold, request)
    rotated(KeyRole.ISSUING)
    anew = issue(world, sold, request)
    assert (anew.serial, anew.binding_number) == (2, 1), "the binding is kept, the serial grows"
    assert signed_with(anew) != signed_with(stolen)
    assert issue(world, sold, request) == anew


def test_a_compromised_key_stays_so(world: World, rotated: Callable[[KeyRole], KeyList]) -> None:
    first = publish(world.engine, ROOTS[:1]).key_list.entries[0].key_id
    revoke(world.engine, ROOTS[:1], first, Reason.COMPROMISED)
    again = revoke(world.engine, ROOTS[:1], first, Reason.ROTATED)
    assert not again.changed
    publish(world.engine, ROOTS[:1])
    with pytest.raises(Refused, match="unknown_key"):
        revoke(world.engine, ROOTS[:1], bytes(4), Reason.ROTATED)


def test_root_keys_are_files_of_their_own(tmp_path: Path) -> None:
    public = create_root(tmp_path / "root.key")
    (root,) = load_roots([tmp_path / "root.key"])
    assert public_key_of(root) == public
    with pytest.raises(SettingError, match="never replaced"):
        create_root(tmp_path / "root.key")
    with pytest.raises(Refused, match="no_such_folder"):
        create_root(tmp_path / "nowhere" / "root.key")
    with pytest.raises(Refused, match="no_root_key"):
        load_roots([tmp_path / "other.key"])
    (tmp_path / "root.key").chmod(0o644)
    with pytest.raises(SettingError, match="chmod"):
        load_roots([tmp_path / "root.key"])
