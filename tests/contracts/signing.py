"""EIP-712 messages of SPEC 8.5 and 8.7, and keys to sign them with. Tested against eth-account's encoder."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from coincurve import PrivateKey
from eth_abi.abi import encode
from eth_utils.crypto import keccak

from tests.support.evm import Contract

CHAIN_ID = 31_337
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141  # of secp256k1
FAR = 2**40  # a deadline that never comes, seconds since 1970

DOMAIN = keccak(text="EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)")
MOVE = "Move(uint256 tokenId,uint256 epoch,address to,uint256 deadline)"
CLAIM = "Claim(uint256 tokenId,uint256 epoch,address to,uint256 deadline)"
ASK = "Ask(address tickets,uint256 tokenId,uint256 epoch,uint256 price,address buyer,uint256 deadline,uint256 counter)"
ANYBODY = "0x" + "00" * 20


@dataclass(frozen=True)
class Signer:
    """A key made from a name. Known to everybody, worth nothing."""

    name: str

    @cached_property
    def key(self) -> PrivateKey:
        return PrivateKey(keccak(text=f"truestub test key {self.name}"))

    @cached_property
    def address(self) -> str:
        return "0x" + keccak(self.key.public_key.format(compressed=False)[1:])[12:].hex()

    def sign(self, digest: bytes) -> bytes:
        """r, s, v."""
        signature = self.key.sign_recoverable(digest, hasher=None)
        return signature[:64] + bytes([27 + signature[64]])


@dataclass(frozen=True)
class Ask:
    tickets: str
    token_id: int
    epoch: int
    price: int
    buyer: str = ANYBODY
    deadline: int = FAR
    counter: int = 0

    def abi(self) -> tuple[Any, ...]:
        return (self.tickets, self.token_id, self.epoch, self.price, self.buyer, self.deadline, self.counter)

    def digest(self, market: str, chain_id: int = CHAIN_ID) -> bytes:
        types = ["address", "uint256", "uint256", "uint256", "address", "uint256", "uint256"]
        return typed(domain("Truestub Market", market, chain_id), ASK, types, self.abi())

    def changed(self, **fields: Any) -> "Ask":
        return replace(self, **fields)


def move_digest(tickets: Contract, token_id: int, to: str, *, epoch: int | None = None, **fields: Any) -> bytes:
    """What a holder signs for `moveWithSig`, at the ticket's present epoch unless one is given."""
    return _digest(MOVE, tickets, token_id, to, epoch, **fields)


def claim_digest(tickets: Contract, token_id: int, to: str, *, epoch: int | None = None, **fields: Any) -> bytes:
    """What custody signs for `claim`."""
    return _digest(CLAIM, tickets, token_id, to, epoch, **fields)


def _digest(
    kind: str,
    tickets: Contract,
    token_id: int,
    to: str,
    epoch: int | None,
    deadline: int = FAR,
    chain_id: int = CHAIN_ID,
) -> bytes:
    if epoch is None:
        epoch = tickets.call("epochOf", token_id)
    types = ["uint256", "uint256", "address", "uint256"]
    place = domain("Truestub Tickets", tickets.address, chain_id)
    return typed(place, kind, types, (token_id, epoch, to, deadline))


def domain(name: str, contract: str, chain_id: int = CHAIN_ID) -> bytes:
    return keccak(
        encode(
            ["bytes32", "bytes32", "bytes32", "uint256", "address"],
            [DOMAIN, keccak(text=name), keccak(text="1"), chain_id, contract],
        )
    )


def typed(separator: bytes, kind: str, types: list[str], values: tuple[Any, ...]) -> bytes:
    return keccak(b"\x19\x01" + separator + keccak(encode(["bytes32", *types], [keccak(text=kind), *values])))


def high_s(signature: bytes) -> bytes:
    """The other signature that the curve accepts for the same message."""
    s = int.from_bytes(signature[32:64])
    return signature[:32] + (ORDER - s).to_bytes(32) + bytes([27 + 28 - signature[64]])
