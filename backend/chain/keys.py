"""The platform's accounts on the chain: their keys, in files that only their owner may read, and what they sign.

Three, so that one stolen key can't undo what bounds another (SPEC 8.4): the *issuer* deploys and mints, the *operator*
relays moves and revokes, suspends and redeems, the *admin* holds the admin's role and signs next to nothing.
Transactions are EIP-1559, signed with libsecp256k1 directly, since batches are signed by the hundred; eth-account is
the oracle of the tests.
"""

from dataclasses import dataclass
from pathlib import Path

import rlp
from coincurve import PrivateKey
from eth_hash.auto import keccak

from backend.credentials.private_files import create_private, make_private_folder, read_private, unreadable
from backend.settings import Settings

EIP1559_TYPE = b"\x02"

# The first accounts of anvil's published mnemonic "test test ... junk": funded on every development node, worth nothing
# anywhere else. A production installation makes its own.
DEVELOPMENT_KEYS = {
    "issuer": bytes.fromhex("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"),
    "operator": bytes.fromhex("59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d"),
    "admin": bytes.fromhex("5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a"),
}
DEVELOPMENT_KEY = DEVELOPMENT_KEYS["issuer"]


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


@dataclass(frozen=True, slots=True)
class ChainKeys:
    """The platform's accounts."""

    issuer: RelayerKey
    operator: RelayerKey
    admin: RelayerKey


def ensure_chain_keys(settings: Settings) -> ChainKeys:
    """The installation's keys, made at the first call. Development uses anvil's first accounts."""
    make_private_folder(settings.keys_dir)
    for role, known in DEVELOPMENT_KEYS.items():
        secret = known if settings.environment == "development" else PrivateKey().secret
        create_private(_path(settings, role), secret.hex() + "\n")
    return load_chain_keys(settings)


def load_chain_keys(settings: Settings) -> ChainKeys:
    """Read the keys; `SettingError` names the file that is missing, damaged or readable by others."""
    return ChainKeys(**{role: _load(_path(settings, role)) for role in DEVELOPMENT_KEYS})


def _load(path: Path) -> RelayerKey:
    text = read_private(path).strip()
    try:
        return RelayerKey(bytes.fromhex(text))
    except ValueError:
        raise unreadable(path) from None


def _path(settings: Settings, role: str) -> Path:
    return settings.keys_dir / f"{role}.key"
