"""Passkeys of the desk (W3C Web Authentication, level 2): added by who is signed in, then a way in of its own.

A passkey that verified its user is both factors: the device, and its PIN or finger. Nothing secret is stored here.
"""

import json
import secrets
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, NoReturn
from urllib.parse import urlsplit
from uuid import UUID, uuid4

from sqlalchemy import Connection, Engine, delete, func, select, update

from backend.db.clock import now_ms
from backend.db.engine import read
from backend.db.tables.desk import DeskAccount, DeskPasskey
from backend.db.upsert import insert_missing
from backend.desk import audit, challenges, throttle
from backend.desk.challenges import NONCE_BYTES, Purpose, challenge, is_good, use_up
from backend.desk.sessions import open_session, prove
from backend.errors import refuse
from backend.i18n import gettext as _

MAX_PASSKEYS = 10  # of one account
MAX_LABEL_CHARACTERS = 40
MAX_ANSWER_BYTES = 16 * 1024  # what a browser sends back; real ones take one or two thousand
MAX_ID_BYTES = 1023  # level 2, section 4
RP_NAME = "Truestub"


@dataclass(frozen=True, slots=True)
class Site:
    """Who passkeys are made for: `origin` as the browser says it, `rp_id` its host name."""

    origin: str
    rp_id: str


@dataclass(frozen=True, slots=True)
class PasskeyHead:
    """A passkey in a list. Times in Unix milliseconds."""

    id: UUID
    label: str
    created_ms: int
    used_ms: int | None


def site_of(public_url: str) -> Site:
    """The site at this address."""
    parts = urlsplit(public_url)
    return Site(f"{parts.scheme}://{parts.netloc}", parts.hostname or "")


def prove_for_new(engine: Engine, secret: bytes, name: str, password: str, code: str, address: str) -> None:
    """A stolen session alone adds no passkey: password and code are asked for again."""
    prove(engine, secret, name, password, code, address)


def creation_options(engine: Engine, secret: bytes, site: Site, account_id: UUID, name: str) -> str:
    """What `navigator.credentials.create` is asked for, as JSON; binary values in base64url."""
    from webauthn import generate_registration_options, options_to_json  # noqa: PLC0415 - only the desk needs it
    from webauthn.helpers import structs  # noqa: PLC0415 - as above

    query = select(DeskPasskey.credential_id).where(DeskPasskey.account_id == account_id)
    with read(engine) as connection:
        known, now = list(connection.scalars(query)), now_ms(connection)
    selection = structs.AuthenticatorSelectionCriteria(
        resident_key=structs.ResidentKeyRequirement.REQUIRED,
        user_verification=structs.UserVerificationRequirement.REQUIRED,
    )
    options = generate_registration_options(
        rp_id=site.rp_id,
        rp_name=RP_NAME,
        user_id=account_id.bytes,
        user_name=name,
        challenge=_fresh(secret, _register(account_id), now),
        timeout=challenges.CHALLENGE_SECONDS * 1000,
        authenticator_selection=selection,
        exclude_credentials=[structs.PublicKeyCredentialDescriptor(id=one) for one in known],
    )
    return options_to_json(options)


def add_passkey(
    engine: Engine, secret: bytes, site: Site, account_id: UUID, name: str, label: str, answer: str
) -> None:
    """Keep the passkey that the browser made. Refuses `passkey_refused`, `too_many_passkeys`."""
    from webauthn import verify_registration_response  # noqa: PLC0415 - as above
    from webauthn.helpers.exceptions import WebAuthnException  # noqa: PLC0415 - as above

    given = _parsed(answer)
    shown = _challenge_of(given)
    with read(engine) as connection:
        now = now_ms(connection)
    if not is_good(secret, _register(account_id), shown, now):
        _refused()
    try:
        made = verify_registration_response(
            credential=given,
            expected_challenge=shown,
            expected_rp_id=site.rp_id,
            expected_origin=site.origin,
            require_user_verification=True,
        )
    except (WebAuthnException, ValueError, KeyError, TypeError) as error:
        raise _refusal() from error
    if len(made.credential_id) > MAX_ID_BYTES:
        _refused()
    label = "".join(character for character in label if character.isprintable()).strip()[:MAX_LABEL_CHARACTERS]
    row = {
        "id": uuid4(),
        "account_id": account_id,
        "credential_hash": _hash(made.credential_id),
        "credential_id": made.credential_id,
        "public_key": made.credential_public_key,
        "sign_count": made.sign_count,
        "label": label or _("Passkey"),
        "created_ms": now,
    }
    with engine.begin() as connection:
        connection.execute(select(DeskAccount.id).where(DeskAccount.id == account_id).with_for_update())
        held = select(func.count()).select_from(DeskPasskey).where(DeskPasskey.account_id == account_id)
        if connection.execute(held).scalar_one() >= MAX_PASSKEYS:
            sentence = _("An account can have %d passkeys; remove one that is not used any more")
            raise refuse("too_many_passkeys", sentence % MAX_PASSKEYS)
        if not use_up(connection, shown, now) or insert_missing(connection, DeskPasskey, [row]) != 1:
            _refused()
        audit.append(connection, secret, name, "passkey_add", f"account:{name}", label=row["label"])


def request_options(engine: Engine, secret: bytes, site: Site) -> str:
    """What `navigator.credentials.get` is asked for, as JSON. Tells nothing about accounts, and writes nothing."""
    from webauthn import generate_authentication_options, options_to_json  # noqa: PLC0415 - as above
    from webauthn.helpers.structs import UserVerificationRequirement  # noqa: PLC0415 - as above

    with read(engine) as connection:
        now = now_ms(connection)
    options = generate_authentication_options(
        rp_id=site.rp_id,
        challenge=_fresh(secret, _SIGN_IN, now),
        timeout=challenges.CHALLENGE_SECONDS * 1000,
        user_verification=UserVerificationRequirement.REQUIRED,
    )
    return options_to_json(options)


def sign_in(engine: Engine, secret: bytes, site: Site, answer: str, address: str) -> str:
    """The token of a new session for whose passkey answered. Refuses with `passkey_refused`, whatever was wrong."""
    with engine.begin() as connection:
        now = now_ms(connection)
        wait = throttle.attempt(connection, secret, "passkey", address, throttle.FREE_ATTEMPTS_BY_ADDRESS, now)
    if wait:
        sentence = _("Too many attempts; wait %d seconds and try again") % wait
        raise refuse("too_many_attempts", sentence, retry_after=wait)
    given = _parsed(answer)
    shown = _challenge_of(given)
    if not is_good(secret, _SIGN_IN, shown, now):
        _refused()
    with read(engine) as connection:
        query = (
            select(DeskPasskey, DeskAccount.name)
            .join(DeskAccount, DeskAccount.id == DeskPasskey.account_id)
            .where(DeskPasskey.credential_hash == _hash(_id_of(given)), DeskAccount.state == "active")
        )
        row = connection.execute(query).one_or_none()
    if row is None:
        _refused()
    count = _verified(site, given, shown, row)
    token = secrets.token_urlsafe(32)
    with engine.begin() as connection:
        # Whoever comes second with the same answer, or was overtaken by a later one, changes no row.
        taken = update(DeskPasskey).where(DeskPasskey.id == row.id, DeskPasskey.sign_count == row.sign_count)
        if not use_up(connection, shown, now):
            _refused()
        if connection.execute(taken.values(sign_count=count, used_ms=now)).rowcount != 1:
            _refused()
        throttle.forgive(connection, secret, "passkey", address)
        open_session(connection, row.account_id, token)
        audit.append(connection, secret, row.name, "sign_in", f"account:{row.name}", passkey=row.label)
    return token


def passkeys(engine: Engine, account_id: UUID) -> list[PasskeyHead]:
    """Those of an account, the oldest first."""
    query = select(DeskPasskey.id, DeskPasskey.label, DeskPasskey.created_ms, DeskPasskey.used_ms)
    with read(engine) as connection:
        found = connection.execute(query.where(DeskPasskey.account_id == account_id).order_by(DeskPasskey.created_ms))
        return [PasskeyHead(*row) for row in found]


def remove_passkey(engine: Engine, secret: bytes, account_id: UUID, name: str, passkey_id: UUID) -> None:
    """Let nobody in by it any more; harmless if it is gone, or somebody else's."""
    with engine.begin() as connection:
        ours = (DeskPasskey.id == passkey_id) & (DeskPasskey.account_id == account_id)
        label = connection.scalar(select(DeskPasskey.label).where(ours))
        if label is None:
            return
        connection.execute(delete(DeskPasskey).where(ours))
        audit.append(connection, secret, name, "passkey_remove", f"account:{name}", label=label)


def remove_all(connection: Connection, account_id: UUID) -> None:
    """For an account that is renewed: whoever holds its lost device stays outside."""
    connection.execute(delete(DeskPasskey).where(DeskPasskey.account_id == account_id))


_SIGN_IN = Purpose("sign_in")


def _register(account_id: UUID) -> Purpose:
    return Purpose("register", str(account_id))


def _fresh(secret: bytes, purpose: Purpose, now: int) -> bytes:
    return challenge(secret, purpose, secrets.token_bytes(NONCE_BYTES), now)


def _verified(site: Site, given: dict[str, Any], shown: bytes, row: Any) -> int:  # noqa: ANN401 - a row with a name
    """The device's count after this signature."""
    from webauthn import verify_authentication_response  # noqa: PLC0415 - as above
    from webauthn.helpers.exceptions import WebAuthnException  # noqa: PLC0415 - as above

    try:
        answered = verify_authentication_response(
            credential=given,
            expected_challenge=shown,
            expected_rp_id=site.rp_id,
            expected_origin=site.origin,
            credential_public_key=row.public_key,
            credential_current_sign_count=row.sign_count,
            require_user_verification=True,
        )
    except (WebAuthnException, ValueError, KeyError, TypeError) as error:
        raise _refusal() from error
    return answered.new_sign_count


def _parsed(answer: str) -> dict[str, Any]:
    try:
        given = json.loads(answer) if len(answer) <= MAX_ANSWER_BYTES else None
    except (ValueError, RecursionError) as error:
        raise _refusal() from error
    if not isinstance(given, dict):
        _refused()
    return given


def _challenge_of(given: dict[str, Any]) -> bytes:
    """The challenge that the browser says it answered: checked for being ours, then by the signature."""
    try:
        client = json.loads(_bytes(given["response"]["clientDataJSON"]))
        return _bytes(client["challenge"])
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise _refusal() from error


def _id_of(given: dict[str, Any]) -> bytes:
    try:
        return _bytes(given["rawId"])
    except (KeyError, TypeError, ValueError) as error:
        raise _refusal() from error


def _bytes(text: str) -> bytes:
    from webauthn.helpers import base64url_to_bytes  # noqa: PLC0415 - as above

    return base64url_to_bytes(text)


def _hash(credential_id: bytes) -> bytes:
    return sha256(credential_id).digest()


def _refusal() -> Exception:
    sentence = _("This passkey was not taken; try once more, or sign in with name, password and code")
    return refuse("passkey_refused", sentence)


def _refused() -> NoReturn:
    raise _refusal()
