"""The vault: a file that holds the recovery phrase, encrypted under a passphrase (SPEC 4.6).

argon2id makes the key, XSalsa20-Poly1305 (libsodium's secretbox) encrypts and authenticates. The parameters stand
beside what they protect, so that a later version may raise them. A checksum over the whole file tells damage from a
wrong passphrase; it protects nothing, the authentication does.
"""

import hashlib
import json
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from nacl.exceptions import CryptoError
from nacl.pwhash import argon2id
from nacl.secret import SecretBox
from nacl.utils import random
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from wallet.errors import WalletError
from wallet.files import replace, write_new
from wallet.i18n import gettext as _

FORMAT = "truestub-wallet-vault"
VERSION = 1
MIN_PASSPHRASE_CHARACTERS = 8
MAX_PASSPHRASE_CHARACTERS = 1024
MAX_VAULT_BYTES = 64 * 1024
MAX_MEMORY_BYTES = 1 << 30  # a damaged file must not make us ask for more


@dataclass(frozen=True, slots=True)
class Cost:
    """What a guess at the passphrase costs: passes over so many bytes of memory."""

    passes: int
    memory_bytes: int


DEFAULT_COST = Cost(argon2id.OPSLIMIT_MODERATE, argon2id.MEMLIMIT_MODERATE)  # 3 passes over 256 MiB


class _Kdf(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)
    name: Literal["argon2id"]
    passes: int = Field(ge=argon2id.OPSLIMIT_MIN, le=64)
    memory_bytes: int = Field(ge=argon2id.MEMLIMIT_MIN, le=MAX_MEMORY_BYTES)
    salt: str = Field(pattern=r"^[0-9a-f]{32}$")


class _Head(BaseModel):
    """What every version has."""

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)
    format: Literal["truestub-wallet-vault"]
    version: int = Field(ge=1)


class _File(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)
    format: Literal["truestub-wallet-vault"]
    version: int
    kdf: _Kdf
    cipher: Literal["xsalsa20-poly1305"]
    sealed: str = Field(pattern=r"^([0-9a-f]{2})+$")
    checksum: str


def create(path: Path, phrase: str, passphrase: str, cost: Cost = DEFAULT_COST) -> None:
    """Write a new vault; `wallet_exists` if there is one, which is left as it is."""
    check_passphrase(passphrase)
    try:
        write_new(path, _seal(phrase, passphrase, cost))
    except FileExistsError:
        raise WalletError(
            "wallet_exists", _("There is a wallet in %s. Choose another folder with --home.") % path.parent
        ) from None


def unlock(path: Path, passphrase: str) -> str:
    """The recovery phrase. Codes: `no_wallet`, `wrong_passphrase`, `vault_damaged`, `vault_too_new`."""
    vault = _read(path)
    key = _stretch(passphrase, bytes.fromhex(vault.kdf.salt), Cost(vault.kdf.passes, vault.kdf.memory_bytes))
    try:
        return SecretBox(key).decrypt(bytes.fromhex(vault.sealed)).decode()
    except CryptoError:
        raise WalletError(
            "wrong_passphrase", _("The passphrase does not open this wallet. Try again; nothing was changed.")
        ) from None


def change_passphrase(path: Path, old: str, new: str, cost: Cost = DEFAULT_COST) -> None:
    """Encrypt the phrase anew; the old vault stays until the new one is whole."""
    check_passphrase(new)
    replace(path, _seal(unlock(path, old), new, cost))


def describe(path: Path) -> dict[str, str | int]:
    """What protects this vault, in words and numbers; needs no passphrase."""
    vault = _read(path)
    return {
        "kdf": vault.kdf.name,
        "passes": vault.kdf.passes,
        "memory_bytes": vault.kdf.memory_bytes,
        "cipher": vault.cipher,
    }


def check_passphrase(passphrase: str) -> None:
    """Raise `bad_passphrase` for one that is too short to protect anything, or absurd."""
    if len(passphrase) < MIN_PASSPHRASE_CHARACTERS:
        raise WalletError(
            "bad_passphrase",
            _("A passphrase needs at least %d characters. Four random words are a good one.")
            % MIN_PASSPHRASE_CHARACTERS,
        )
    if len(passphrase) > MAX_PASSPHRASE_CHARACTERS:
        raise WalletError("bad_passphrase", _("A passphrase has at most %d characters.") % MAX_PASSPHRASE_CHARACTERS)


def _seal(phrase: str, passphrase: str, cost: Cost) -> bytes:
    salt = random(argon2id.SALTBYTES)
    sealed = SecretBox(_stretch(passphrase, salt, cost)).encrypt(phrase.encode())
    fields = {
        "format": FORMAT,
        "version": VERSION,
        "kdf": {
            "name": "argon2id",
            "passes": cost.passes,
            "memory_bytes": cost.memory_bytes,
            "salt": salt.hex(),
        },
        "cipher": "xsalsa20-poly1305",
        "sealed": bytes(sealed).hex(),
    }
    return json.dumps({**fields, "checksum": _checksum(fields)}, indent=1).encode() + b"\n"


def _read(path: Path) -> _File:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_VAULT_BYTES + 1)
    except FileNotFoundError:
        raise WalletError(
            "no_wallet", _("There is no wallet in %s. Make one with `truestub-wallet init`.") % path.parent
        ) from None
    except OSError as error:
        raise WalletError(
            "cannot_read",
            _("%(path)s can't be read (%(reason)s).") % {"path": path, "reason": error.strerror or str(error)},
        ) from None
    damaged = WalletError(
        "vault_damaged",
        _("%s is damaged. Put a copy of it back, or restore the wallet from its recovery phrase.") % path,
    )
    try:
        head = _Head.model_validate_json(data)
        if head.version > VERSION:
            raise WalletError("vault_too_new", _("This wallet was made by a newer version. Update truestub-wallet."))
        vault = _File.model_validate_json(data)
    except ValidationError:
        raise damaged from None
    if vault.checksum != _checksum(vault.model_dump(exclude={"checksum"})):
        raise damaged
    return vault


def _checksum(fields: dict[str, object]) -> str:
    return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()


def _stretch(passphrase: str, salt: bytes, cost: Cost) -> bytes:
    """NFKC, so that the same passphrase typed on another keyboard gives the same bytes."""
    typed = unicodedata.normalize("NFKC", passphrase).encode()
    try:
        return argon2id.kdf(SecretBox.KEY_SIZE, typed, salt, cost.passes, cost.memory_bytes)
    except (MemoryError, CryptoError):
        raise WalletError(
            "not_enough_memory",
            _("Opening the wallet needs %d MiB of memory. Close other programs and try again.")
            % (cost.memory_bytes >> 20),
        ) from None
