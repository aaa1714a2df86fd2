// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ClassConfig, Policy} from "../interfaces/IEventTickets.sol";

/// @dev Records that fill one storage slot each, lowest field first. SPEC 8.3 has the layouts.

type BatchWord is uint256; // pointer 160 | count 16 | class 8 | minted at 40

type TokenWord is uint256; // owner 160 | epoch 24 | class 8 | position 16 | last paid 40 | claimed 1

type ClassWord is uint256; // see below

using BatchWords for BatchWord global;
using TokenWords for TokenWord global;
using ClassWords for ClassWord global;

library BatchWords {
    function pack(address pointer_, uint256 count_, uint256 class_) internal view returns (BatchWord) {
        return BatchWord.wrap(uint160(pointer_) | count_ << 160 | class_ << 176 | block.timestamp << 184);
    }

    function pointer(BatchWord w) internal pure returns (address) {
        return address(uint160(BatchWord.unwrap(w)));
    }

    function count(BatchWord w) internal pure returns (uint256) {
        return uint16(BatchWord.unwrap(w) >> 160);
    }

    function class(BatchWord w) internal pure returns (uint256) {
        return uint8(BatchWord.unwrap(w) >> 176);
    }

    function mintedAt(BatchWord w) internal pure returns (uint256) {
        return BatchWord.unwrap(w) >> 184;
    }
}

library TokenWords {
    uint256 internal constant MAX_EPOCH = type(uint24).max;
    uint256 internal constant MAX_POSITION = type(uint16).max;

    uint256 private constant EPOCH_ONE = 1 << 160;
    uint256 private constant CLAIMED = 1 << 248;
    uint256 private constant POSITION_MASK = 0xffff << 192;
    uint256 private constant PAID_MASK = 0xffffffffff << 208;

    function owner(TokenWord w) internal pure returns (address) {
        return address(uint160(TokenWord.unwrap(w)));
    }

    function exists(TokenWord w) internal pure returns (bool) {
        return TokenWord.unwrap(w) << 96 != 0;
    }

    /// @dev Whether both are the owner.
    function ownedByBoth(TokenWord w, address a, address b) internal pure returns (bool both) {
        assembly ("memory-safe") {
            both := iszero(shl(96, or(xor(a, w), xor(b, w))))
        }
    }

    function epoch(TokenWord w) internal pure returns (uint256) {
        return uint24(TokenWord.unwrap(w) >> 160);
    }

    /// @dev Not zero if the ticket can still move.
    function epochsLeft(TokenWord w) internal pure returns (uint256) {
        return ~TokenWord.unwrap(w) & MAX_EPOCH << 160;
    }

    function class(TokenWord w) internal pure returns (uint256) {
        return uint8(TokenWord.unwrap(w) >> 184);
    }

    /// @dev Where the ticket is in its holder's list beyond the first five: index + 1, or 0 (see Holdings).
    function position(TokenWord w) internal pure returns (uint256) {
        return uint16(TokenWord.unwrap(w) >> 192);
    }

    function lastPaid(TokenWord w) internal pure returns (uint256) {
        return uint40(TokenWord.unwrap(w) >> 208);
    }

    function claimed(TokenWord w) internal pure returns (bool) {
        return TokenWord.unwrap(w) & CLAIMED != 0;
    }

    function withPosition(TokenWord w, uint256 position_) internal pure returns (TokenWord) {
        return TokenWord.wrap(TokenWord.unwrap(w) & ~POSITION_MASK | position_ << 192);
    }

    /// @dev A ticket before its first move: its owner still comes from the batch.
    function unmoved(address owner_, uint256 class_) internal pure returns (TokenWord) {
        return TokenWord.wrap(uint160(owner_) | class_ << 184);
    }

    /// @dev The word after a move. The epoch must be below MAX_EPOCH.
    function moved(TokenWord w, address to, uint256 position_) internal pure returns (TokenWord) {
        uint256 kept = TokenWord.unwrap(w) & ~POSITION_MASK;
        unchecked {
            return TokenWord.wrap((kept >> 160 << 160 | uint160(to) | position_ << 192) + EPOCH_ONE);
        }
    }

    function withPaid(TokenWord w, uint256 price) internal pure returns (TokenWord) {
        return TokenWord.wrap(TokenWord.unwrap(w) & ~PAID_MASK | price << 208);
    }

    function asClaimed(TokenWord w) internal pure returns (TokenWord) {
        return TokenWord.wrap(TokenWord.unwrap(w) | CLAIMED);
    }
}

/// @dev capacity 32 | issued 32 | face value 40 | cap bps 16 | royalty bps 16 | opens 40 | closes 40 | policy 8 |
/// max moves 8 | halted 1 (at 232) | exists 1 (at 240) | first 15 bits of custody (at 241). A move reads this slot and no
/// other of its class.
library ClassWords {
    uint256 internal constant BPS = 10_000;

    uint256 private constant HALTED = 1 << 232;
    uint256 private constant EXISTS = 1 << 240;
    uint256 private constant SPECIAL = 0x1ff << 224; // max moves and halted

    function exists(ClassWord w) internal pure returns (bool) {
        return ClassWord.unwrap(w) & EXISTS != 0;
    }

    function halted(ClassWord w) internal pure returns (bool) {
        return ClassWord.unwrap(w) & HALTED != 0;
    }

    /// @dev Not zero if moves are limited or halted.
    function special(ClassWord w) internal pure returns (uint256) {
        return ClassWord.unwrap(w) & SPECIAL;
    }

    function capacity(ClassWord w) internal pure returns (uint256) {
        return uint32(ClassWord.unwrap(w));
    }

    function issued(ClassWord w) internal pure returns (uint256) {
        return uint32(ClassWord.unwrap(w) >> 32);
    }

    function faceValue(ClassWord w) internal pure returns (uint256) {
        return uint40(ClassWord.unwrap(w) >> 64);
    }

    function capBps(ClassWord w) internal pure returns (uint256) {
        return uint16(ClassWord.unwrap(w) >> 104);
    }

    function royaltyBps(ClassWord w) internal pure returns (uint256) {
        return uint16(ClassWord.unwrap(w) >> 120);
    }

    function opens(ClassWord w) internal pure returns (uint256) {
        return uint40(ClassWord.unwrap(w) >> 136);
    }

    function closes(ClassWord w) internal pure returns (uint256) {
        return uint40(ClassWord.unwrap(w) >> 176);
    }

    function policy(ClassWord w) internal pure returns (Policy) {
        return Policy(uint8(ClassWord.unwrap(w) >> 216));
    }

    /// @dev The policy times eight: its row in the table of Policies.
    function policyRow(ClassWord w) internal pure returns (uint256) {
        return ClassWord.unwrap(w) >> 213 & 0xf8;
    }

    function maxMoves(ClassWord w) internal pure returns (uint256) {
        return uint8(ClassWord.unwrap(w) >> 224);
    }

    /// @dev The highest price, in minor units, at which a ticket of the class may be sold. Open has none of its own.
    function priceCap(ClassWord w) internal pure returns (uint256) {
        if (policy(w) == Policy.Open) return type(uint40).max;
        uint256 cap = faceValue(w) * capBps(w) / BPS;
        return cap < type(uint40).max ? cap : type(uint40).max;
    }

    function withHalted(ClassWord w, bool on) internal pure returns (ClassWord) {
        uint256 raw = ClassWord.unwrap(w);
        return ClassWord.wrap(on ? raw | HALTED : raw & ~HALTED);
    }

    function withCapacity(ClassWord w, uint256 capacity_) internal pure returns (ClassWord) {
        return ClassWord.wrap(ClassWord.unwrap(w) & ~uint256(type(uint32).max) | capacity_);
    }

    function withTimes(ClassWord w, uint256 opens_, uint256 closes_) internal pure returns (ClassWord) {
        uint256 kept = ClassWord.unwrap(w) & ~(uint256(type(uint80).max) << 136);
        return ClassWord.wrap(kept | opens_ << 136 | closes_ << 176);
    }

    function withPolicy(ClassWord w, Policy policy_) internal pure returns (ClassWord) {
        return ClassWord.wrap(ClassWord.unwrap(w) & ~(uint256(0xff) << 216) | uint256(policy_) << 216);
    }

    /// @dev The caller has checked that the sum does not exceed the capacity, so that it can't leave its field.
    function plusIssued(ClassWord w, uint256 count) internal pure returns (ClassWord) {
        return ClassWord.wrap(ClassWord.unwrap(w) + (count << 32));
    }

    /// @dev Every revoked ticket was counted when it was minted, so the field can't fall below zero.
    function minusIssued(ClassWord w, uint256 count) internal pure returns (ClassWord) {
        return ClassWord.wrap(ClassWord.unwrap(w) - (count << 32));
    }

    function pack(ClassConfig calldata c, address custody) internal pure returns (ClassWord) {
        uint256 w = EXISTS | c.capacity | uint256(c.faceValue) << 64 | uint256(c.capBps) << 104;
        w |= uint256(c.royaltyBps) << 120 | uint256(c.opens) << 136 | uint256(c.closes) << 176;
        w |= uint256(c.policy) << 216 | uint256(c.maxMoves) << 224;
        return ClassWord.wrap(w | uint256(uint160(custody)) >> 145 << 241);
    }
}
