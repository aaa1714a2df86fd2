"""The private keys of the signer: files in the keys folder, one per event, role and number (SPEC 5.1).

A role's keys are numbered from 1; a rotation adds the next number and never touches the last. What a file holds is one
line, `<kind> <64 hex digits>`.
"""

import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from uuid import UUID

from eth_account import Account
from eth_account.signers.local import LocalAccount
from nacl.signing import SigningKey

from backend.credentials.private_files import create_private, make_private_folder, read_private, unreadable
from backend.errors import SettingError
from backend.i18n import gettext as _

SECRET_BYTES = 32
RandomBytes = Callable[[int], bytes]


class KeyRole(StrEnum):
    """What a key of an event is for."""

    ISSUING = "issuing"  # Ed25519, signs credentials
    BUNDLE = "bundle"  # Ed25519, signs bundles
    CUSTODY = "custody"  # secp256k1, owns the tickets of buyers without a wallet


@dataclass(frozen=True)
class PrivateKey:
    """A key of the store. Its secret is not in its `repr`."""

    event_id: UUID
    role: KeyRole
    number: int
    secret: bytes = field(repr=False)

    @cached_property
    def signing_key(self) -> SigningKey:
        """The Ed25519 key; for issuing and bundle keys."""
        return SigningKey(self.secret)

    @cached_property
    def account(self) -> LocalAccount:
        """The chain account; for custody keys."""
        account: LocalAccount = Account.from_key(self.secret)
        return account

    @cached_property
    def public(self) -> bytes:
        """The 32-byte public key, or the 20-byte address of a custody key."""
        if self.role is KeyRole.CUSTODY:
            return bytes.fromhex(self.account.address.removeprefix("0x"))
        return bytes(self.signing_key.verify_key)


class KeyStore:
    """Makes keys and finds them again. Safe in several threads and processes at once."""

    def __init__(self, folder: Path, random_bytes: RandomBytes = secrets.token_bytes) -> None:
        make_private_folder(folder)
        self._folder = folder
        self._random_bytes = random_bytes
        self._known: dict[Path, PrivateKey] = {}  # files never change, so what was read once holds

    def create(
        self, event_id: UUID, role: KeyRole, number: int = 1, acceptable: Callable[[bytes], bool] = lambda _public: True
    ) -> PrivateKey:
        """The key of this number; made, and on disk, if it was not there. `acceptable` may turn down a public half."""
        path = self._path(event_id, role, number)
        while not path.exists():
            made = PrivateKey(event_id, role, number, self._random_bytes(SECRET_BYTES))
            if acceptable(made.public):
                create_private(path, _line(_kind(role), made.secret))
        return self._load(path, event_id, role, number)

    def all_of(self, event_id: UUID, role: KeyRole) -> list[PrivateKey]:
        """The event's keys of a role, newest first."""
        pattern = re.compile(rf"{event_id}\.{role}\.([1-9][0-9]*)\.key")
        numbers = [int(match[1]) for path in self._folder.iterdir() if (match := pattern.fullmatch(path.name))]
        return [
            self._load(self._path(event_id, role, number), event_id, role, number) for number in sorted(numbers)[::-1]
        ]

    def _path(self, event_id: UUID, role: KeyRole, number: int) -> Path:
        return self._folder / f"{event_id}.{role}.{number}.key"

    def _load(self, path: Path, event_id: UUID, role: KeyRole, number: int) -> PrivateKey:
        if path not in self._known:
            self._known[path] = PrivateKey(event_id, role, number, read_secret(path, _kind(role)))
        return self._known[path]


def write_secret(path: Path, kind: str, secret: bytes) -> None:
    """Store a new secret of some kind; `SettingError` if the file is there."""
    if not create_private(path, _line(kind, secret)):
        raise SettingError(str(path), _("is there already; it is never replaced"))


def read_secret(path: Path, kind: str) -> bytes:
    """The 32 bytes of a file; `SettingError` if it is missing, readable by others, damaged or of another kind."""
    match = re.fullmatch(r"([a-z0-9-]+) ([0-9a-f]{64})\n", read_private(path))
    if match is None or match[1] != kind:
        raise unreadable(path)
    return bytes.fromhex(match[2])


def _kind(role: KeyRole) -> str:
    return "secp256k1" if role is KeyRole.CUSTODY else "ed25519"


def _line(kind: str, secret: bytes) -> str:
    return f"{kind} {secret.hex()}\n"
