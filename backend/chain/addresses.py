"""Where contracts will be, computed without asking anybody (SPEC 8.1)."""

import hashlib
from uuid import UUID

import rlp
from eth_hash.auto import keccak

# EIP-1167, in OpenZeppelin's form with immutable arguments behind the code.
_CLONE_START = bytes.fromhex("363d3d373d3d3d363d73")
_CLONE_END = bytes.fromhex("5af43d82803e903d91602b57fd5bf3")


def event_hash(platform_id: bytes, event_id: UUID) -> bytes:
    """The event's name on the chain, 32 bytes; its first 8 are the event tag."""
    return hashlib.sha256(platform_id + event_id.bytes).digest()


def created_address(sender: bytes, nonce: int) -> bytes:
    """The address of what an account's transaction creates (Yellow Paper, section 7)."""
    return keccak(rlp.encode([sender, nonce]))[12:]


def clone_code(implementation: bytes, custody: bytes, hash_: bytes) -> bytes:
    """The code of an event's contract, whole and for good."""
    return _CLONE_START + implementation + _CLONE_END + custody + hash_


def clone_address(factory: bytes, creator: bytes, hash_: bytes, code: bytes) -> bytes:
    """The address of an event's contract with this code (EIP-1014)."""
    creation = b"\x61" + len(code).to_bytes(2) + bytes.fromhex("3d81600a3d39f3") + code
    salt = keccak(bytes(12) + creator + hash_)
    return keccak(b"\xff" + factory + salt + keccak(creation))[12:]
