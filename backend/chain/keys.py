"""The relayer's key: kept in a file that only its owner may read, and the transactions it signs (EIP-1559, EIP-2718).

The relayer pays for gas and holds the minting right; it can't move anybody's ticket. It signs with libsecp256k1
directly, since batches are signed by the hundred; eth-account is the oracle of the tests.
"""

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex

import rlp
from coincurve import PrivateKey
from eth_hash.auto import keccak

from backend.errors import SettingError
from backend.i18n import gettext as _
from backend.settings import Settings, require_private

KEY_FILE = "relayer.key"
EIP1559_TYPE = b"\x02"

# The first account of anvil's published mnemonic "test test ... junk": funded on every development node, worth nothing
# anywhere else. A production installation makes its own.
DEVELOPMENT_KEY = bytes.fromhex("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80")


@dataclass(frozen=True, slots=True)
class Fees:
    """What a transaction offers, in wei per gas."""

    max_fee: int
    priority_fee: int


@dataclass(frozen=True, slots=True)
class SignedTransaction:
    """The bytes that are sent, and their hash."""

    raw: bytes
    hash: bytes


class RelayerKey:
    """A secp256k1 key that signs our transactions. Its representation shows the address, never the key."""

    def __init__(self, secret: bytes) -> None:
        self._key = PrivateKey(secret)
        self.address: bytes = keccak(self._key.public_key.format(compressed=False)[1:])[12:]

    def __repr__(self) -> str:
        return f"RelayerKey(0x{self.address.hex()})"

    def sign(
        self, chain_id: int, nonce: int, fees: Fees, gas_limit: int, to_address: bytes | None, calldata: bytes
    ) -> SignedTransaction:
        """Sign a type-2 transaction without value. No `to_address` makes a contract. Deterministic (RFC 6979)."""
        unsigned = [chain_id, nonce, fees.priority_fee, fees.max_fee, gas_limit, to_address or b"", 0, calldata, []]
        digest = keccak(EIP1559_TYPE + rlp.encode(unsigned))
        signature = self._key.sign_recoverable(digest, hasher=None)
        r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:64], "big")
        raw = EIP1559_TYPE + rlp.encode([*unsigned, signature[64], r, s])
        return SignedTransaction(raw, keccak(raw))


def ensure_relayer_key(settings: Settings) -> RelayerKey:
    """The installation's relayer key, made at the first call. Development uses anvil's first account."""
    path = settings.keys_dir / KEY_FILE
    if not path.exists():
        settings.keys_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write_once(path, DEVELOPMENT_KEY if settings.environment == "development" else PrivateKey().secret)
    return load_relayer_key(settings)


def load_relayer_key(settings: Settings) -> RelayerKey:
    """Read the key; `SettingError` names the file if it is missing, damaged or readable by others."""
    path = settings.keys_dir / KEY_FILE
    if not path.is_file():
        raise SettingError(str(path), _("is missing; restore it from your backup, or run truestub init"))
    require_private(path)
    try:
        return RelayerKey(bytes.fromhex(path.read_text("ascii").strip()))
    except ValueError:
        raise SettingError(str(path), _("is damaged; restore it from your backup")) from None


def _write_once(path: Path, secret: bytes) -> None:
    """Make the file appear whole and on disk; one that is there already, made by another process, stays."""
    draft = path.with_name(f".{path.name}.{token_hex(8)}")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
            file.write(secret.hex() + "\n")
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink(missing_ok=True)
