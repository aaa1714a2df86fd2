// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IEventTickets, Status} from "../interfaces/IEventTickets.sol";
import {TokenWord} from "../lib/Words.sol";
import {Role} from "./Roles.sol";
import {TicketStore} from "./TicketStore.sol";

/// @dev Redeemed, suspended, revoked: two bits a ticket, 128 tickets a slot (SPEC 8.3).
abstract contract Statuses is TicketStore {
    /// @dev The bit of each ticket's two that a mask must not set.
    uint256 private constant HIGH_BITS = 0xaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa;

    /// @inheritdoc IEventTickets
    function redeemWords(uint256[] calldata words, uint256[] calldata masks) external onlyRole(Role.GATE) {
        _requireRunning(STOP_REDEEM);
        (uint256 faults, uint256 overlaps, uint256[] memory fresh) = _redeem(words, masks);
        if (faults != 0) _revertRedeem(words, masks);
        if (overlaps != 0) {
            for (uint256 i; i < words.length; ++i) {
                if (masks[i] != fresh[i]) emit RedeemOverlap(words[i], masks[i] ^ fresh[i]);
            }
        }
    }

    /// @inheritdoc IEventTickets
    function revoke(uint256[] calldata tokenIds) external onlyRole(Role.RELAYER) {
        for (uint256 i = _start(tokenIds); i < tokenIds.length; ++i) {
            uint256 tokenId = tokenIds[i];
            TokenWord token = _existing(tokenId);
            Status status = _statusOf(tokenId);
            if (status == Status.Redeemed || status == Status.Revoked) {
                revert StatusChangeRefused(tokenId, status, Status.Revoked);
            }
            _setStatus(tokenId, Status.Revoked);
            uint256 class = token.class();
            _class[class] = _class[class].minusIssued(1);
            emit TicketRevoked(tokenId);
        }
    }

    /// @inheritdoc IEventTickets
    function suspend(uint256[] calldata tokenIds) external onlyRole(Role.RELAYER) {
        for (uint256 i = _start(tokenIds); i < tokenIds.length; ++i) {
            _change(tokenIds[i], Status.Valid, Status.Suspended);
            emit TicketSuspended(tokenIds[i]);
        }
    }

    /// @inheritdoc IEventTickets
    function reinstate(uint256[] calldata tokenIds) external onlyRole(Role.RELAYER) {
        for (uint256 i = _start(tokenIds); i < tokenIds.length; ++i) {
            _change(tokenIds[i], Status.Suspended, Status.Valid);
            emit TicketReinstated(tokenIds[i]);
        }
    }

    /// @dev Redeems and logs. Assembly, since this loop is what admission costs: half the gas of the same in Solidity.
    /// @return faults Not zero if the lists don't match or are empty, words don't rise, or a mask is empty, malformed or names tickets that were never minted:
    /// the caller must then revert.
    /// @return overlaps Not zero if some tickets were not valid.
    /// @return fresh Word by word, the tickets that were valid and are redeemed now.
    function _redeem(uint256[] calldata words, uint256[] calldata masks)
        private
        returns (uint256 faults, uint256 overlaps, uint256[] memory fresh)
    {
        bytes32 redeemed = TicketsRedeemed.selector;
        bytes32 updated = BatchMetadataUpdate.selector;
        assembly ("memory-safe") {
            // The event's data: two offsets, then the words, then the masks, each list after its length.
            let data := mload(0x40)
            let size := shl(5, words.length)
            fresh := add(add(data, 0x60), size)
            let gap := add(0x20, size) // from a word to its mask
            mstore(0x40, add(fresh, gap))
            mstore(data, 0x40)
            mstore(add(data, 0x20), add(0x60, size))
            mstore(add(data, 0x40), words.length)
            calldatacopy(add(data, 0x60), words.offset, size)
            mstore(fresh, words.length)
            calldatacopy(add(fresh, 0x20), masks.offset, size)

            faults := or(iszero(words.length), xor(words.length, masks.length))
            let last := 0 // the word before
            let count := 0 // how many tickets its batch has
            for { let item := add(data, 0x60) } lt(item, fresh) { item := add(item, 0x20) } {
                let word := mload(item)
                faults := or(faults, iszero(gt(word, last)))
                faults := or(faults, shr(33, word))
                if shr(9, xor(word, last)) { count := and(shr(160, sload(add(_batch.slot, shr(9, word)))), 0xffff) }
                last := word
                let mask := mload(add(item, gap))
                // Shifted by two bits for each ticket that the word has, nothing may be left.
                let base := and(shl(7, word), 0xffff)
                faults := or(faults, shr(shl(1, mul(gt(count, base), sub(count, base))), mask))
                faults := or(faults, or(iszero(mask), and(mask, HIGH_BITS)))

                let slot := add(_status.slot, word)
                let status := sload(slot)
                let valid := and(mask, not(or(status, shr(1, status))))
                overlaps := or(overlaps, xor(mask, valid))
                mstore(add(item, gap), valid)
                sstore(slot, or(status, valid))
            }
            log1(data, sub(mload(0x40), data), redeemed)
            mstore(0x00, shl(7, mload(add(data, 0x60))))
            mstore(0x20, or(shl(7, last), 127))
            log1(0x00, 0x40, updated)
        }
    }

    /// @dev Finds the first fault again, to name it.
    function _revertRedeem(uint256[] calldata words, uint256[] calldata masks) private view {
        if (words.length != masks.length) revert LengthMismatch(words.length, masks.length);
        if (words.length == 0) revert EmptyList();
        for (uint256 i;; ++i) {
            (uint256 word, uint256 mask) = (words[i], masks[i]);
            if (i > 0 && word <= words[i - 1]) revert WordsNotAscending(i);
            if (mask & HIGH_BITS != 0 || mask == 0) revert MaskInvalid(word, mask);
            uint256 base = (word << WORD_SHIFT) & 0xffff;
            uint256 count = _batchAt(word >> (16 - WORD_SHIFT)).count();
            if (base >= count || (count - base < 128 && mask >> (count - base) * 2 != 0)) {
                revert NoSuchTickets(word, mask);
            }
        }
    }

    function _change(uint256 tokenId, Status from, Status to) private {
        _existing(tokenId);
        Status status = _statusOf(tokenId);
        if (status != from) revert StatusChangeRefused(tokenId, status, to);
        _setStatus(tokenId, to);
    }

    function _setStatus(uint256 tokenId, Status status) private {
        uint256 shift = (tokenId & 127) << 1;
        StatusWord storage slot = _status[tokenId >> WORD_SHIFT];
        slot.bits = slot.bits & ~(3 << shift) | uint256(status) << shift;
        emit MetadataUpdate(tokenId);
    }

    function _start(uint256[] calldata list) private pure returns (uint256) {
        if (list.length == 0) revert EmptyList();
        return 0;
    }
}
