"""Raw logs of our contracts as what they mean for the index (SPEC 8): own decoding, web3.py's is the tests' oracle.

Logs that change no token (roles, policies, metadata) are stored like all others and mean nothing here. A log that has
the topic but not the shape of ours is none of ours: `decode` says None, since an index must not fall over what
somebody else's contract, or a lying node, says.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from eth_hash.auto import keccak

from credential.tickets import Status

WORD = 32
ADDRESS = 20
TICKETS_OF_A_WORD = 128


@dataclass(frozen=True, slots=True)
class RawLog:
    """A log as it is stored. `topics` are 32 bytes each, joined; hashes 32 bytes, `address` 20.

    The Transfers of a mint follow one another and differ in owner and id only: `count` of them are one, whose topics
    are the first's without its owner, and whose data are the owners, 20 bytes each (SPEC 10.4).
    """

    block_number: int
    log_index: int
    block_hash: bytes
    tx_hash: bytes
    address: bytes
    topics: bytes
    data: bytes
    count: int = 1


@dataclass(frozen=True, slots=True)
class Minted:
    """A token came into being, owned by `owner` (20 bytes)."""

    token_id: int
    owner: bytes


@dataclass(frozen=True, slots=True)
class MintedRun:
    """Tokens with ids from `first` on came into being, owned by these, 20 bytes each."""

    first: int
    owners: bytes

    @property
    def token_ids(self) -> range:
        """Their ids."""
        return range(self.first, self.first + len(self.owners) // ADDRESS)


@dataclass(frozen=True, slots=True)
class Moved:
    """A token got a new owner; its epoch grew by one."""

    token_id: int
    owner: bytes


@dataclass(frozen=True, slots=True)
class Marked:
    """Tokens got a status."""

    token_ids: tuple[int, ...]
    status: Status


Change = Minted | MintedRun | Moved | Marked


def topic(signature: str) -> bytes:
    """The first topic of an event, from its signature."""
    return keccak(signature.encode())


TRANSFER = topic("Transfer(address,address,uint256)")
BATCH_MINTED = topic("BatchMinted(uint256,uint256,uint256,address,bytes32)")
BATCH_ALREADY_MINTED = topic("BatchAlreadyMinted(uint256,bytes32)")
EVENT_CANCELLED = topic("EventCancelled()")
EVENT_CREATED = topic("EventCreated(bytes32,address,address)")
TICKETS_REDEEMED = topic("TicketsRedeemed(uint256[],uint256[])")
REDEEM_OVERLAP = topic("RedeemOverlap(uint256,uint256)")
_STATUS_OF = {
    topic("TicketSuspended(uint256)"): Status.SUSPENDED,
    topic("TicketReinstated(uint256)"): Status.VALID,
    topic("TicketRevoked(uint256)"): Status.REVOKED,
}
_ZERO = bytes(WORD)
_MAX_TOKEN_BYTES = 5  # a token id fits 40 bits (SPEC 8.2)
_MAX_STATUS_WORD = (1 << 8 * _MAX_TOKEN_BYTES) // TICKETS_OF_A_WORD - 1


def decode(log: RawLog) -> Change | None:
    """What a log of a tickets contract changes in the index."""
    kind, rest = log.topics[:WORD], log.topics[WORD:]
    if log.count > 1:
        first = _token(rest[WORD:])
        return None if first is None else MintedRun(first, log.data)
    if kind == TRANSFER:
        return _transfer(rest)
    if kind == TICKETS_REDEEMED:
        return _redeemed(log.data)
    status = _STATUS_OF.get(kind)
    if status is not None and len(rest) == WORD and (token := _token(rest)) is not None:
        return Marked((token,), status)
    return None


def tokens_of(change: Change | None) -> Sequence[int]:
    """The tokens that a log changes."""
    match change:
        case None:
            return ()
        case Marked() | MintedRun():
            return change.token_ids
        case _:
            return (change.token_id,)


def redeemed_tokens(words: Sequence[int], masks: Sequence[int]) -> tuple[int, ...]:
    """The tokens of status words whose low bits are set in `masks` (SPEC 8.3)."""
    return tuple(
        word * TICKETS_OF_A_WORD + place
        for word, mask in zip(words, masks, strict=True)
        for place in range(TICKETS_OF_A_WORD)
        if mask >> 2 * place & 1
    )


def overlapped(logs: Iterable[RawLog]) -> list[int]:
    """The tickets that could not be redeemed, according to `RedeemOverlap` among these logs."""
    found: list[int] = []
    for log in logs:
        if log.topics[:WORD] == REDEEM_OVERLAP and len(log.data) == 2 * WORD:
            word, mask = int.from_bytes(log.data[:WORD]), int.from_bytes(log.data[WORD:])
            if word <= _MAX_STATUS_WORD:
                found += redeemed_tokens([word], [mask])
    return found


def _redeemed(data: bytes) -> Change | None:
    words, masks = _numbers(data, 0), _numbers(data, 1)
    if words is None or masks is None or len(words) != len(masks) or max(words, default=0) > _MAX_STATUS_WORD:
        return None
    return Marked(redeemed_tokens(words, masks), Status.REDEEMED)


def _numbers(data: bytes, place: int) -> list[int] | None:
    """A list of numbers among the ABI-encoded arguments; None if it is not one."""
    start = int.from_bytes(data[place * WORD : (place + 1) * WORD])
    count = int.from_bytes(data[start : start + WORD])
    first = start + WORD
    if len(data) < first or count > (len(data) - first) // WORD:
        return None
    return [int.from_bytes(data[at : at + WORD]) for at in range(first, first + count * WORD, WORD)]


def _transfer(topics: bytes) -> Change | None:
    if len(topics) != 3 * WORD:
        return None
    sender, receiver, token = topics[:WORD], topics[WORD : 2 * WORD], _token(topics[2 * WORD :])
    if token is None or receiver == _ZERO:
        return None  # our tokens are never burnt
    owner = receiver[12:]
    return Minted(token, owner) if sender == _ZERO else Moved(token, owner)


def _token(word: bytes) -> int | None:
    value = int.from_bytes(word)
    return value if value < 1 << 8 * _MAX_TOKEN_BYTES else None
