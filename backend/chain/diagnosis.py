"""What a node is to us, decided from what it says and what we stored: a pure function (design 8, SPEC 10.5).

Four diagnoses beside *ok* and *unreachable*, each with its own answer:
- *behind*: every block it has is ours, but it has not all of them: wait.
- *reorganised*: another block at a height we stored, forked off within finality: fetch the branch, swap, send again.
- *rolled back*: the same beyond finality, or our blocks are gone and it goes on without them: as above, but only by
  itself on a development chain; elsewhere by command.
- *wiped*: another genesis, another chain id, or other code at our addresses: stop minting, freeze the index, alarm.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Kind(StrEnum):
    """What the node is to us."""

    OK = "ok"
    UNREACHABLE = "unreachable"
    BEHIND = "behind"
    REORGANISED = "reorganised"
    ROLLED_BACK = "rolled_back"
    WIPED = "wiped"


@dataclass(frozen=True, slots=True)
class Known:
    """What we stored of this chain instance. Hashes are 32 bytes."""

    chain_id: int
    genesis_hash: bytes
    cursor_number: int
    final_number: int  # at or below it nothing may change on an honest chain
    blocks: Mapping[int, bytes]  # number -> hash; kept to beyond finality
    contracts: Mapping[bytes, tuple[int, bytes]] = field(default_factory=dict)  # address -> block of birth, code hash


@dataclass(frozen=True, slots=True)
class Seen:
    """What the node says. `blocks` holds its hashes at the heights we asked for; a height it lacks is missing."""

    chain_id: int
    genesis_hash: bytes
    head_number: int
    blocks: Mapping[int, bytes]
    code_hashes: Mapping[bytes, bytes | None] = field(default_factory=dict)  # None: no code there


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The kind, and what an answer needs to know. `ancestor` is the highest block we share, where one was found."""

    kind: Kind
    ancestor: int | None = None
    reason: str = ""  # machine-readable: chain_id | genesis | code | no_common_block | fork | ""


def diagnose(known: Known, seen: Seen | None) -> Diagnosis:  # noqa: PLR0911 - one line for each diagnosis
    """Say what the node is; None means that it did not answer."""
    if seen is None:
        return Diagnosis(Kind.UNREACHABLE)
    if seen.chain_id != known.chain_id:
        return Diagnosis(Kind.WIPED, reason="chain_id")
    if seen.genesis_hash != known.genesis_hash:
        return Diagnosis(Kind.WIPED, reason="genesis")
    differing = [number for number, hash_ in known.blocks.items() if seen.blocks.get(number, hash_) != hash_]
    if differing:
        return _forked(known, seen, min(differing))
    if seen.head_number < known.cursor_number:
        return Diagnosis(Kind.BEHIND, ancestor=max(known.blocks.keys() & seen.blocks.keys(), default=None))
    if _code_differs(known, seen):
        return Diagnosis(Kind.WIPED, reason="code")
    return Diagnosis(Kind.OK, ancestor=known.cursor_number)


def _forked(known: Known, seen: Seen, first_other: int) -> Diagnosis:
    shared = [number for number in known.blocks if number < first_other and number in seen.blocks]
    if not shared:
        return Diagnosis(Kind.WIPED, reason="no_common_block")
    ancestor = max(shared)
    kind = Kind.REORGANISED if ancestor >= known.final_number else Kind.ROLLED_BACK
    return Diagnosis(kind, ancestor=ancestor, reason="fork")


def _code_differs(known: Known, seen: Seen) -> bool:
    """An address proves nothing: the same deployer at nonce 0 makes the same one on any chain."""
    return any(
        birth <= seen.head_number and address in seen.code_hashes and seen.code_hashes[address] != code_hash
        for address, (birth, code_hash) in known.contracts.items()
    )
