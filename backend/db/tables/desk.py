"""Tables of the organiser's desk: who may work at it, who is signed in, and what was done."""

from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from backend.db.tables.base import Base
from backend.db.types import Hash32, Millis


class DeskAccount(Base):
    """Somebody who works at the desk. Closed, never deleted: the audit log names accounts."""

    __tablename__ = "desk_accounts"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(40), unique=True)
    role: Mapped[str] = mapped_column(String(16))  # backend.desk.roles.ROLES
    state: Mapped[str] = mapped_column(String(8))  # active | closed
    password_hash: Mapped[str] = mapped_column(String(160))  # argon2id in its own text form (PHC)
    totp_key: Mapped[bytes] = mapped_column(LargeBinary)  # sealed (backend.privacy.sealing)
    totp_step: Mapped[int] = mapped_column(BigInteger)  # of the last code taken: none is taken twice
    created_ms: Mapped[int] = mapped_column(Millis)
    changed_ms: Mapped[int] = mapped_column(Millis)


class DeskSession(Base):
    """A signed-in browser. Its cookie holds a random token, of which only the hash is here."""

    __tablename__ = "desk_sessions"
    token_hash: Mapped[bytes] = mapped_column(Hash32, primary_key=True)
    account_id: Mapped[UUID] = mapped_column(ForeignKey("desk_accounts.id"), index=True)
    created_ms: Mapped[int] = mapped_column(Millis)
    seen_ms: Mapped[int] = mapped_column(Millis)
    ended_ms: Mapped[int | None] = mapped_column(Millis)


class DeskPasskey(Base):
    """A key pair on somebody's device that signs them in without password and code (WebAuthn). Public things only."""

    __tablename__ = "desk_passkeys"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    account_id: Mapped[UUID] = mapped_column(ForeignKey("desk_accounts.id"), index=True)
    credential_hash: Mapped[bytes] = mapped_column(Hash32, unique=True)  # SHA-256 of the credential's id
    credential_id: Mapped[bytes] = mapped_column(LargeBinary)  # up to 1,023 bytes
    public_key: Mapped[bytes] = mapped_column(LargeBinary)  # COSE (RFC 9052)
    sign_count: Mapped[int] = mapped_column(BigInteger)  # the device's own, if it counts
    label: Mapped[str] = mapped_column(String(40))
    created_ms: Mapped[int] = mapped_column(Millis)
    used_ms: Mapped[int | None] = mapped_column(Millis)


class DeskChallenge(Base):
    """A passkey's challenge that was answered: none is taken twice. Rows go once the challenge is too old anyway."""

    __tablename__ = "desk_challenges"
    nonce: Mapped[bytes] = mapped_column(LargeBinary(16), primary_key=True)
    used_ms: Mapped[int] = mapped_column(Millis)


class DeskAttempts(Base):
    """Failed sign-ins by a name, or from an address; `key` is a keyed hash of either."""

    __tablename__ = "desk_attempts"
    key: Mapped[bytes] = mapped_column(Hash32, primary_key=True)
    count: Mapped[int]
    last_ms: Mapped[int] = mapped_column(Millis)


class AuditEntry(Base):
    """Something done at the desk. The database refuses to change or delete these rows (migration).

    `seal` is a keyed hash over the row and the seal before it, so that an altered, removed or inserted row shows.
    """

    __tablename__ = "audit_log"
    number: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)  # 1, 2, 3 without gaps
    at_ms: Mapped[int] = mapped_column(Millis)
    actor: Mapped[str] = mapped_column(String(40))  # an account's name, or "command line"
    action: Mapped[str] = mapped_column(String(40))
    about: Mapped[str] = mapped_column(String(160))  # order:<id>, event:<slug>, account:<name>
    detail: Mapped[str] = mapped_column(Text)  # JSON with sorted keys; never personal
    seal: Mapped[bytes] = mapped_column(Hash32)
