"""Faults planted in the contracts, to show that the state machine finds them.

All are built into one set of contracts, so the compiler runs once. Which of them is on is read from a storage slot that
the contracts don't use; 0 is none.
"""

import re
from dataclasses import dataclass
from functools import cache

from contracts import build
from tests.contracts.compiled import Compiled, compile_cached, contract
from tests.contracts.model.bench import MUTANT_SLOT

NAMES = ("EventTickets", "KeyRegistry", "TicketMarket")
# Quick to compile: nothing here is deployed for real, so neither size nor gas matter, but the stack must not overflow.
SETTINGS = {
    **build.SETTINGS,
    "optimizer": {
        "enabled": True,
        "details": {"yulDetails": {"stackAllocation": True, "optimizerSteps": "u:fDnTOcmu"}},
    },
    "outputSelection": {f"src/{name}.sol": build.SETTINGS["outputSelection"]["*"] for name in NAMES},
}
SWITCH = f"""// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

function mutant() view returns (uint256 which) {{
    assembly {{
        which := sload({MUTANT_SLOT:#x})
    }}
}}
"""


@dataclass(frozen=True)
class Mutant:
    """`old` occurs once in `file`; where the mutant is on, `new` runs instead."""

    name: str
    area: str
    file: str
    old: str
    new: str

    def patched(self, source: str, number: int) -> str:
        assert source.count(self.old) == 1, f"{self.name}: its place in {self.file} is not the one it was"
        if "assembly" in self.name:
            on = f"eq(sload({MUTANT_SLOT:#x}), {number})"
            return source.replace(self.old, f"{self.old} if {on} {{ {self.new} }}")
        return source.replace(self.old, f"if (mutant() == {number}) {{ {self.new} }} else {{ {self.old} }}")


MOVING, SELLING, MARKING, GOVERNING, KEYS = "moving", "selling", "marking", "governing", "keys"

TICKETS, MOVES, HOLDINGS = "EventTickets.sol", "tickets/Moves.sol", "tickets/Holdings.sol"
MINTING, STATUSES = "tickets/Minting.sol", "tickets/Statuses.sol"
CLASSES, ROLES = "tickets/Classes.sol", "tickets/Roles.sol"
ASKS, MARKET, CREDITS, REGISTRY = "market/Asks.sol", "TicketMarket.sol", "market/Credits.sol", "KeyRegistry.sol"
WORDS = "lib/Words.sol"

MUTANTS = (
    Mutant(
        "an overload skips _move",
        MOVING,
        TICKETS,
        "transferFrom(from, to, tokenId);\n"
        "        ERC721Utils.checkOnERC721Received(msg.sender, from, to, tokenId, data);",
        "_token[tokenId] = _load(tokenId).moved(to, 0); emit Transfer(from, to, tokenId);",
    ),
    Mutant(
        "anybody may transfer",
        MOVING,
        TICKETS,
        "if (!may) revert ERC721InsufficientApproval(msg.sender, tokenId);",
        "may;",
    ),
    Mutant(
        "the sender's claim of whose ticket it is goes unchecked",
        MOVING,
        TICKETS,
        "if (from != holder) revert ERC721IncorrectOwner(from, tokenId, holder);",
        "",
    ),
    Mutant(
        "an approved address may approve",
        MOVING,
        TICKETS,
        "if (msg.sender != holder && !_operators[holder][msg.sender]) revert ERC721InvalidApprover(msg.sender);",
        "if (msg.sender != holder && !_operators[holder][msg.sender] && _approvedFor(tokenId, token) != msg.sender)"
        " revert ERC721InvalidApprover(msg.sender);",
    ),
    Mutant(
        "an approval outlives the move",
        MOVING,
        TICKETS,
        "return approved >> 160 == token.epoch() ? address(uint160(approved)) : address(0);",
        "return address(uint160(approved));",
    ),
    Mutant(
        "an operator can't be dismissed",
        MOVING,
        TICKETS,
        "_operators[msg.sender][operator] = approved;",
        "_operators[msg.sender][operator] = true;",
    ),
    Mutant(
        "the cap is off by one",
        SELLING,
        MOVES,
        "if (price > class.priceCap()) revert PriceAboveCap(tokenId, price, class.priceCap());",
        "if (price > class.priceCap() + 1) revert PriceAboveCap(tokenId, price, class.priceCap());",
    ),
    Mutant(
        "the epoch is not raised",
        MOVING,
        WORDS,
        "return TokenWord.wrap((kept >> 160 << 160 | uint160(to) | position_ << 192) + EPOCH_ONE);",
        "return TokenWord.wrap(kept >> 160 << 160 | uint160(to) | position_ << 192);",
    ),
    Mutant(
        "an ask needs no consent",
        SELLING,
        MOVES,
        "if (class.policy().needsConsent(path)) _requireConsent(tokenId, operator, digest, consent);",
        "",
    ),
    Mutant(
        "a gift needs no consent",
        MOVING,
        MOVES,
        "if (class.policy().needsConsent(Path.Gift)) _requireConsent(tokenId, msg.sender, digest, consent);",
        "",
    ),
    Mutant(
        "anybody settles sales paid outside the chain",
        SELLING,
        MOVES,
        "if (fiat) _requireRole(operator, Role.SETTLER);",
        "",
    ),
    Mutant(
        "an ask of an earlier epoch is good",
        SELLING,
        MOVES,
        "if (token.epoch() != epoch) revert EpochMismatch(tokenId, token.epoch(), epoch);",
        "",
    ),
    Mutant(
        "a void ticket moves",
        MARKING,
        MOVES,
        "if (_statusBits(tokenId) != 0) revert TicketNotValid(tokenId, _statusOf(tokenId));",
        "",
    ),
    Mutant("a stop does not stop moves", GOVERNING, MOVES, "if (class.halted()) _requireRunning(STOP_MOVE);", ""),
    Mutant(
        "every path is open to every policy",
        MOVING,
        MOVES,
        "if (!Policies.allows(class, path)) revert PathNotAllowed(tokenId, class.policy(), path);",
        "",
    ),
    Mutant(
        "tickets leave custody by any path",
        MOVING,
        MOVES,
        "if (to == keeper || (from == keeper) != (path == Path.Claim)) revert CustodyOnly(tokenId);",
        "if (to == keeper) revert CustodyOnly(tokenId); from;",
    ),
    Mutant(
        "moves begin a second early",
        MOVING,
        MOVES,
        "if (block.timestamp < class.opens()) revert NotOpenYet(tokenId, class.opens());",
        "if (block.timestamp + 1 < class.opens()) revert NotOpenYet(tokenId, class.opens());",
    ),
    Mutant(
        "assembly: nobody looks at the times of moves",
        MOVING,
        MOVES,
        "let open := lt(sub(timestamp(), opens), sub(closes, opens))",
        "open := 1",
    ),
    Mutant(
        "the grace is everybody's",
        MOVING,
        MOVES,
        "if (late || !_hasRole(operator, Role.RELAYER)) revert MovesClosed(tokenId, closes);",
        "if (late) revert MovesClosed(tokenId, closes); operator;",
    ),
    Mutant(
        "one move too many",
        MOVING,
        MOVES,
        "if (token.epoch() >= limit) revert MoveLimitReached(tokenId, limit);",
        "if (token.epoch() > limit) revert MoveLimitReached(tokenId, limit);",
    ),
    Mutant("a claim counts as a move", MOVING, MOVES, "return token.asClaimed();", "return token;"),
    Mutant(
        "the price paid is forgotten",
        SELLING,
        MOVES,
        "return path == Path.Gift ? token : token.withPaid(price);",
        "price; return token;",
    ),
    Mutant(
        "what leaves is still counted",
        MOVING,
        HOLDINGS,
        "holding.word = held + (1 << LEFT_SHIFT);",
        "holding.word = held;",
    ),
    Mutant(
        "the place of the last ticket is not corrected",
        MOVING,
        HOLDINGS,
        "if (count > INLINE) _token[lastId] = _token[lastId].withPosition(position);",
        "",
    ),
    Mutant(
        "one ticket beyond the capacity",
        MOVING,
        MINTING,
        "if (word.issued() + count > word.capacity()) {\n"
        "            revert CapacityExceeded(class, word.capacity(), word.issued(), count);\n"
        "        }",
        "if (word.issued() + count > word.capacity() + 1) revert CapacityExceeded(class, 0, 0, 0);",
    ),
    Mutant(
        "a repeat under another class passes",
        MOVING,
        MINTING,
        "if (stored != given || taken.class() != class) revert BatchTaken(number, stored, given);",
        "if (stored != given) revert BatchTaken(number, stored, given); class;",
    ),
    Mutant("unsorted owners pass", MOVING, MINTING, "if (falls) _revertNotSorted(owners);", ""),
    Mutant(
        "assembly: redeeming revives what was revoked",
        MARKING,
        STATUSES,
        "let valid := and(mask, not(or(status, shr(1, status))))",
        "valid := and(mask, not(status))",
    ),
    Mutant(
        "a redeemed ticket is revoked",
        MARKING,
        STATUSES,
        "if (status == Status.Redeemed || status == Status.Revoked) {\n"
        "                revert StatusChangeRefused(tokenId, status, Status.Revoked);\n"
        "            }",
        "if (status == Status.Revoked) revert StatusChangeRefused(tokenId, status, Status.Revoked);",
    ),
    Mutant(
        "a revoked ticket leaves no room",
        MARKING,
        STATUSES,
        "_class[class] = _class[class].minusIssued(1);",
        "class;",
    ),
    Mutant(
        "the pauser resumes",
        GOVERNING,
        CLASSES,
        "_setStops(_event.stops & ~what, what);",
        "_setStops(_event.stops | what, what);",
    ),
    Mutant(
        "a policy becomes free",
        GOVERNING,
        CLASSES,
        "if (!Policies.mayBecome(word.policy(), policy)) revert PolicyChangeRefused(class, word.policy(), policy);",
        "if (word.policy() == policy) revert PolicyChangeRefused(class, word.policy(), policy);",
    ),
    Mutant(
        "the admin takes over at once",
        GOVERNING,
        ROLES,
        "if (block.timestamp < _pendingFrom) revert AdminDelayRunning(_pendingFrom);",
        "",
    ),
    Mutant(
        "the seller gets the royalty too",
        SELLING,
        ASKS,
        "_credit(token, seller, units - royalty);",
        "_credit(token, seller, units);",
    ),
    Mutant(
        "a cancelled ask is good", SELLING, ASKS, "if (_cancelled[seller][digest]) revert AskIsCancelled(digest);", ""
    ),
    Mutant(
        "an old counter is good",
        SELLING,
        ASKS,
        "if (ask.counter != _counter[seller]) revert CounterMismatch(seller, _counter[seller], ask.counter);",
        "",
    ),
    Mutant(
        "an ask for one buyer is everybody's",
        SELLING,
        ASKS,
        "if (ask.buyer != address(0) && ask.buyer != to) revert NotForBuyer(ask.buyer, to);",
        "",
    ),
    Mutant(
        "anybody signs for the seller",
        SELLING,
        ASKS,
        "if (!Signatures.isValid(seller, digest, signature)) revert SellerSignatureInvalid(seller);",
        "",
    ),
    Mutant(
        "money is fetched twice",
        SELLING,
        CREDITS,
        "_owed[token][msg.sender] = 0;",
        "",
    ),
    Mutant(
        "the price is a suggestion",
        SELLING,
        CREDITS,
        "if (sent != units) revert WrongPayment(units, sent);",
        "if (sent > units) revert WrongPayment(units, sent);",
    ),
    Mutant(
        "an order is paid out again and again",
        SELLING,
        MARKET,
        "order.state = OrderState.Released;",
        "",
    ),
    Mutant(
        "anybody takes an order's money back",
        SELLING,
        MARKET,
        "if (msg.sender != order.payer) revert NotPayer(msg.sender);",
        "",
    ),
    Mutant(
        "a compromised key is good for what came before",
        KEYS,
        REGISTRY,
        "if (key.reason == COMPROMISED) return false;",
        "",
    ),
    Mutant(
        "a key counts at once",
        KEYS,
        REGISTRY,
        "if (time < key.notBefore || time < key.activeAt || time >= key.notAfter) return false;",
        "if (time < key.notBefore || time >= key.notAfter) return false;",
    ),
    Mutant(
        "a bundle's version may fall",
        KEYS,
        REGISTRY,
        "if (version <= last) revert VersionNotRising(eventTag, last, version);",
        "",
    ),
)


@cache
def mutated() -> dict[str, Compiled]:
    """The contracts with every mutant built in."""
    standard_input = build.compiler_input(build.SOURCES, SETTINGS)
    sources = standard_input["sources"]
    for number, mutant in enumerate(MUTANTS, start=1):
        unit = sources[f"src/{mutant.file}"]
        unit["content"] = mutant.patched(unit["content"], number)
    for unit_name, unit in sources.items():
        if unit_name.startswith("src/") and "interfaces" not in unit_name:
            # Reading the switch is no pure matter.
            text = re.sub(r"\b(internal|private)(\s+)pure\b", r"\1\2view", unit["content"])
            depth = "../" * (unit_name.count("/") - 1) or "./"
            switch = f'\nimport {{mutant}} from "{depth}Mutant.sol";\n'
            unit["content"] = text.replace("pragma solidity 0.8.37;\n", "pragma solidity 0.8.37;\n" + switch, 1)
    sources["src/Mutant.sol"] = {"content": SWITCH}
    output = compile_cached(standard_input, warnings=True)
    return {name: contract(output, f"src/{name}.sol", name) for name in NAMES}
