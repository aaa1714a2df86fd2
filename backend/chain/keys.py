"""The relayer's key: kept in a file that only its owner may read, and the transactions it signs (EIP-1559, EIP-2718).

The relayer pays for gas and holds the minting right; it can't move anybody's ticket. It signs with libsecp256k1
directly, since batches are signed by the hundred; eth-account is the oracle of the tests.
"""

from dataclasses import dataclass

import rlp
from coincurve import PrivateKey
from eth_hash.auto import keccak

from backend.credentials.private_files import create_private, make_private_folder, read_private, unreadable
from backend.settings import Settings

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
    make_private_folder(settings.keys_dir)
    secret = DEVELOPMENT_KEY if settings.environment == "development" else PrivateKey().secret
    create_private(settings.keys_dir / KEY_FILE, secret.hex() + "\n")
    return load_relayer_key(settings)


def load_relayer_key(settings: Settings) -> RelayerKey:
    """Read the key; `SettingError` names the file if it is missing, damaged or readable by others."""
    path = settings.keys_dir / KEY_FILE
    text = read_private(path).strip()
    try:
        return RelayerKey(bytes.fromhex(text))
    except ValueError:
        raise unreadable(path) from None
