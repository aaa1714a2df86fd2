"""Publish key lists: read what there is, build the next list, sign it with the roots, store it (SPEC 5.1).

Promises: what is stored is what gates accept after the list before; versions have no gaps; a repeat changes nothing.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

from nacl.signing import SigningKey
from sqlalchemy import Connection, Engine, insert, select
from sqlalchemy.exc import IntegrityError

from backend.credentials.key_lists import EventKey, Roots, find_entry, next_key_list, says_the_same, with_revoked
from backend.credentials.keystore import KeyRole
from backend.credentials.published import newest_key_list
from backend.credentials.records import platform_id
from backend.credentials.signer_client import SignerClient
from backend.db.clock import now_ms
from backend.db.engine import read
from backend.db.tables.credentials import KeyList as KeyListRow
from backend.db.tables.credentials import SigningKey as SigningKeyRow
from backend.db.tables.events import Event
from backend.db.upsert import insert_missing
from backend.errors import refuse
from backend.i18n import gettext as _
from backend.killpoints import reach
from credential.ids import key_id
from credential.keylist import KeyList, Reason, Role, TrustRoot, sign_key_list, verify_key_list
from credential.signing import public_key_of

ROLES = {"issuing": Role.ISSUING, "bundle": Role.BUNDLE}


@dataclass(frozen=True, slots=True)
class Published:
    """The list in force; `changed` is False if the one before said the same."""

    key_list: KeyList
    changed: bool


def publish(engine: Engine, signers: Sequence[SigningKey], roots: Roots | None = None) -> Published:
    """The list in force after every key that the database knows is named. Raises `Refused`.

    `roots` says who signs from now on; none leaves that as it was, or makes `signers` the first roots, all needed.
    """
    return _publish(engine, signers, roots, lambda following, _now: following)


def revoke(engine: Engine, signers: Sequence[SigningKey], wanted: bytes, reason: Reason) -> Published:
    """The list in force after the key with this 4-byte id is revoked. A compromised key stays so."""

    def change(following: KeyList, now: int) -> KeyList:
        entry = find_entry(following, wanted)
        if entry is None:
            raise refuse("unknown_key", _("No key of the list has the id %s; see: truestub keys list") % wanted.hex())
        if entry.reason in {reason, Reason.COMPROMISED}:
            return following
        return with_revoked(following, entry, reason, now)

    return _publish(engine, signers, None, change)


def rotate(
    engine: Engine, signer: SignerClient, signers: Sequence[SigningKey], event_id: UUID, role: KeyRole
) -> Published:
    """The list in force after the event has a new key of this role and its older ones are retired.

    The signer uses the new key once the list names it, so a rotation that stops half-way harms nothing and is finished
    by doing it again.
    """
    following = _following_key(engine, signer, event_id, role)
    reach("keys.rotated")

    def retire(key_list: KeyList, now: int) -> KeyList:
        made = key_list.find(key_id(following), ROLES[role])
        for entry in key_list.entries:
            same = made and (entry.role, entry.event_tag) == (made.role, made.event_tag)
            if same and entry != made and entry.reason is Reason.NONE:
                key_list = with_revoked(key_list, entry, Reason.ROTATED, now)
        return key_list

    return _publish(engine, signers, None, retire)


def trust_root(engine: Engine) -> TrustRoot:
    """What a new gate is given by hand: the roots of the list in force."""
    with read(engine) as connection:
        known = newest_key_list(connection)
    if known is None:
        raise refuse("no_key_list", _("No key list is published yet; run: truestub keys publish"))
    return TrustRoot(known.platform_id, known.threshold, known.root_keys)


def _following_key(engine: Engine, signer: SignerClient, event_id: UUID, role: KeyRole) -> bytes:
    with read(engine) as connection:
        published = newest_key_list(connection)
        known = connection.scalars(
            select(SigningKeyRow.public_key)
            .where(SigningKeyRow.event_id == event_id, SigningKeyRow.role == role)
            .order_by(SigningKeyRow.created_ms)
        ).all()
    if published is None or not known:
        raise refuse("no_key_list", _("The event's keys are not published yet; run: truestub keys publish"))
    if published.find(key_id(known[-1]), ROLES[role]) is None:
        return known[-1]  # made by a rotation that stopped half-way
    following = signer.rotate_key(event_id, role, known[-1])
    with engine.begin() as connection:
        row = {"public_key": following, "key_id": key_id(following), "role": str(role), "event_id": event_id}
        insert_missing(connection, SigningKeyRow, [{**row, "created_ms": now_ms(connection)}])
    return following


def _publish(
    engine: Engine, signers: Sequence[SigningKey], roots: Roots | None, change: Callable[[KeyList, int], KeyList]
) -> Published:
    try:
        with engine.begin() as connection:
            now = now_ms(connection)
            previous = newest_key_list(connection)
            chosen = roots or _roots_as_they_are(previous, signers)
            drafted = next_key_list(previous, platform_id(connection), chosen, _event_keys(connection), now // 1000)
            following = change(drafted, now // 1000)
            if previous is not None and says_the_same(previous, following, now // 1000):
                return Published(previous, changed=False)
            data = _signed(previous, following, signers, now // 1000)
            connection.execute(insert(KeyListRow).values(version=following.version, data=data, created_ms=now))
            reach("keys.before_commit")
    except IntegrityError:
        raise refuse("key_list_changed", _("Somebody else published a key list just now; try again")) from None
    return Published(following, changed=True)


def _roots_as_they_are(previous: KeyList | None, signers: Sequence[SigningKey]) -> Roots:
    if previous is not None:
        return Roots(previous.threshold, previous.root_keys)
    return Roots(len(signers), tuple(public_key_of(root) for root in signers))


def _signed(previous: KeyList | None, following: KeyList, signers: Sequence[SigningKey], now: int) -> bytes:
    """Signed, and judged as a gate will judge it: a list that gates refuse must never be the newest."""
    try:
        data = sign_key_list(following, signers)
    except ValueError as error:
        raise refuse("bad_key_list", _("This can't be a key list: %s") % error) from None
    trusted = previous or TrustRoot(following.platform_id, following.threshold, following.root_keys)
    verdict = verify_key_list(data, trusted, now)
    if not isinstance(verdict, KeyList):
        sentence = _("Gates would refuse this list (%s): name enough of the root keys that signed the last one")
        raise refuse("roots_not_trusted", sentence % verdict.reason)
    return data


def _event_keys(connection: Connection) -> list[EventKey]:
    rows = connection.execute(
        select(SigningKeyRow.public_key, SigningKeyRow.role, SigningKeyRow.created_ms, Event.tag, Event.ends_ms)
        .join(Event, Event.id == SigningKeyRow.event_id)
        .order_by(SigningKeyRow.created_ms)
    )
    return [
        EventKey(row.public_key, ROLES[row.role], row.tag, row.created_ms // 1000, row.ends_ms // 1000) for row in rows
    ]
