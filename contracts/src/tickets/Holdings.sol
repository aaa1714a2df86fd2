// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC721} from "@openzeppelin/contracts/interfaces/IERC721.sol";
import {IEventTickets} from "../interfaces/IEventTickets.sol";
import {OwnerCode} from "../lib/OwnerCode.sol";
import {BatchWord, TokenWord, TokenWords} from "../lib/Words.sol";
import {TicketStore} from "./TicketStore.sol";

/// @dev Who holds what. Tickets that never moved are counted in their batches. For those that did, a holder has one slot:
///
///   five ids of tickets that were moved here, 40 bits each | how many were moved here and are here 28 |
///   how many left that had been minted here 28
///
/// The sixth and later ones are in a list, where each ticket knows its place, so that every move costs the same.
abstract contract Holdings is TicketStore {
    uint256 private constant INLINE = 5;
    uint256 private constant LANE_BITS = 40;
    uint256 private constant LANE_MASK = (1 << LANE_BITS) - 1;
    uint256 private constant COUNT_SHIFT = 200;
    uint256 private constant LEFT_SHIFT = 228;
    uint256 private constant COUNT_MASK = (1 << 28) - 1;
    uint256 private constant MAX_RECEIVED = INLINE + TokenWords.MAX_POSITION;

    struct Holding {
        uint256 word;
        mapping(uint256 index => uint256 tokenId) more;
    }

    uint256 private _held; // only its place counts, see {_holding}

    /// @inheritdoc IERC721
    function balanceOf(address holder) external view returns (uint256 balance) {
        if (holder == address(0)) revert ERC721InvalidOwner(address(0));
        uint256 held = _holding(holder).word;
        balance = (held >> COUNT_SHIFT & COUNT_MASK);
        uint256 highest = _event.highest;
        for (uint256 number = 1; number <= highest; ++number) {
            BatchWord batch = _batch[number];
            (, uint256 length) = OwnerCode.run(batch.pointer(), batch.count(), holder);
            balance += length;
        }
        balance -= held >> LEFT_SHIFT;
    }

    /// @inheritdoc IERC721
    function ownerOf(uint256 tokenId) external view returns (address) {
        return _existing(tokenId).owner();
    }

    /// @inheritdoc IEventTickets
    function tokensOfOwner(address holder) external view returns (uint256[] memory) {
        return tokensOfOwnerIn(holder, 1, _event.highest, true);
    }

    /// @inheritdoc IEventTickets
    function tokensOfOwnerIn(address holder, uint256 first, uint256 last, bool moved)
        public
        view
        returns (uint256[] memory ids)
    {
        if (holder == address(0)) revert ERC721InvalidOwner(address(0));
        if (last > _event.highest) last = _event.highest;
        ids = new uint256[](0);
        for (uint256 number = first; number <= last; ++number) {
            BatchWord batch = _batch[number];
            (uint256 index, uint256 length) = OwnerCode.run(batch.pointer(), batch.count(), holder);
            for (uint256 end = index + length; index < end; ++index) {
                uint256 id = number << 16 | index;
                if (TokenWord.unwrap(_token[id]) == 0) _append(ids, id);
            }
        }
        if (moved) {
            uint256 received = _holding(holder).word >> COUNT_SHIFT & COUNT_MASK;
            for (uint256 i; i < received; ++i) _append(ids, _receivedAt(holder, i));
        }
    }

    /// @dev Books a ticket out of `from`. Nothing here can leave its field: a holder's counts follow what was booked in.
    function _bookOut(address from, uint256 tokenId, TokenWord token) internal {
        unchecked {
            Holding storage holding = _holding(from);
            uint256 held = holding.word;
            if (token.epoch() == 0) {
                holding.word = held + (1 << LEFT_SHIFT);
                return;
            }
            uint256 count = held >> COUNT_SHIFT & COUNT_MASK;
            uint256 lastId;
            if (count < INLINE + 1) {
                uint256 shift = count * LANE_BITS - LANE_BITS;
                lastId = held >> shift & LANE_MASK;
                held ^= lastId << shift;
            } else {
                lastId = holding.more[count - INLINE - 1];
                delete holding.more[count - INLINE - 1];
            }
            // The last one takes the place of the one that leaves.
            if (lastId != tokenId) {
                uint256 position = token.position();
                if (position == 0) {
                    held = _replace(held, tokenId, lastId);
                } else {
                    holding.more[position - 1] = lastId;
                }
                if (count > INLINE) _token[lastId] = _token[lastId].withPosition(position);
            }
            holding.word = held - (1 << COUNT_SHIFT);
        }
    }

    /// @dev Books a ticket in to `to`. Returns its place in the list beyond the first five: index + 1, or 0.
    function _bookIn(address to, uint256 tokenId) internal returns (uint256 position) {
        unchecked {
            Holding storage holding = _holding(to);
            uint256 held = holding.word;
            uint256 received = held >> COUNT_SHIFT & COUNT_MASK;
            if (received < INLINE) {
                held |= tokenId << received * LANE_BITS;
            } else {
                if (received == MAX_RECEIVED) revert HoldingFull(to, MAX_RECEIVED);
                holding.more[received - INLINE] = tokenId;
                position = received - INLINE + 1;
            }
            holding.word = held + (1 << COUNT_SHIFT);
        }
    }

    /// @dev At keccak256(holder 20 | slot 12): one word to hash, where a mapping has two.
    function _holding(address holder) private pure returns (Holding storage holding) {
        assembly ("memory-safe") {
            mstore(0, or(shl(96, holder), _held.slot))
            holding.slot := keccak256(0, 32)
        }
    }

    function _receivedAt(address holder, uint256 index) private view returns (uint256) {
        if (index < INLINE) return _holding(holder).word >> index * LANE_BITS & LANE_MASK;
        return _holding(holder).more[index - INLINE];
    }

    /// @dev Puts `newId` into the lane that holds `oldId`; there is one.
    function _replace(uint256 held, uint256 oldId, uint256 newId) private pure returns (uint256) {
        unchecked {
            uint256 shift;
            while (held >> shift & LANE_MASK != oldId) shift += LANE_BITS;
            return held ^ (oldId ^ newId) << shift;
        }
    }

    /// @dev Adds to an array that is the last thing in memory.
    function _append(uint256[] memory ids, uint256 id) private pure {
        assembly ("memory-safe") {
            let length := add(mload(ids), 1)
            mstore(ids, length)
            let slot := add(ids, mul(length, 32))
            mstore(slot, id)
            mstore(0x40, add(slot, 32))
        }
    }
}
