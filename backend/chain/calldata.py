"""Calldata of our tickets contracts packed by hand: for what is sent in bulk, where web3's encoder would dominate.

The tests compare each function with that encoder.
"""

from collections.abc import Iterable, Sequence

from eth_hash.auto import keccak

from backend.chain.logs import TICKETS_OF_A_WORD, WORD
from credential.tickets import Status


def selector(signature: str) -> bytes:
    """The first 4 bytes of calldata, from a function's signature."""
    return keccak(signature.encode())[:4]


_MINT = selector("mint(uint32,uint8,bytes)")
_MOVE = selector("moveWithSig(uint256,address,uint256,bytes,bytes)")
_CLAIM = selector("claim(uint256,address,uint256,bytes)")
_REDEEM_WORDS = selector("redeemWords(uint256[],uint256[])")
_ONE_BY_ONE = {
    Status.REVOKED: selector("revoke(uint256[])"),
    Status.SUSPENDED: selector("suspend(uint256[])"),
    Status.VALID: selector("reinstate(uint256[])"),
}


def contract_class(class_number: int) -> int:
    """The contract counts classes from 0, event files and credentials from 1."""
    return class_number - 1


def mint_calldata(number: int, class_number: int, owners: bytes) -> bytes:
    """`mint(uint32 number, uint8 class, bytes owners)`; `owners` 20 bytes each, never falling."""
    padding = bytes(-len(owners) % WORD)
    return _MINT + _words(number, contract_class(class_number), 3 * WORD, len(owners)) + owners + padding


def move_calldata(token_id: int, to: bytes, deadline: int, signature: bytes) -> bytes:
    """`moveWithSig` by the holder's `signature`. Without further consent: a relayer sends it (SPEC 8.5)."""
    padding = bytes(-len(signature) % WORD)
    consent = 6 * WORD + len(signature) + len(padding)
    head = _words(token_id, int.from_bytes(to), deadline, 5 * WORD, consent, len(signature))
    return _MOVE + head + signature + padding + _words(0)


def claim_calldata(token_id: int, to: bytes, deadline: int, signature: bytes) -> bytes:
    """`claim` by custody's `signature`, for a relayer to send (SPEC 8.5)."""
    padding = bytes(-len(signature) % WORD)
    return _CLAIM + _words(token_id, int.from_bytes(to), deadline, 4 * WORD, len(signature)) + signature + padding


def mark_calldata(status: Status, token_ids: Sequence[int]) -> bytes:
    """What gives these tokens this status (SPEC 8.3)."""
    if status is Status.REDEEMED:
        words, masks = status_words(token_ids)
        return _REDEEM_WORDS + _words(2 * WORD, (3 + len(words)) * WORD, len(words), *words, len(masks), *masks)
    ids = sorted(set(token_ids))
    return _ONE_BY_ONE[status] + _words(WORD, len(ids), *ids)


def status_words(token_ids: Iterable[int]) -> tuple[list[int], list[int]]:
    """Status words in rising order, and the mask of each: bit 2 * i stands for its ticket i (SPEC 8.3)."""
    masks: dict[int, int] = {}
    for token in token_ids:
        word, place = divmod(token, TICKETS_OF_A_WORD)
        masks[word] = masks.get(word, 0) | 1 << 2 * place
    words = sorted(masks)
    return words, [masks[word] for word in words]


def _words(*numbers: int) -> bytes:
    return b"".join(number.to_bytes(WORD) for number in numbers)
