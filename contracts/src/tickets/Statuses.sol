// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IEventTickets, Status} from "../interfaces/IEventTickets.sol";
import {BatchWord, TokenWord} from "../lib/Words.sol";
import {Role} from "./Roles.sol";
import {TicketStore} from "./TicketStore.sol";

/// @dev Redeemed, suspended, revoked: two bits a ticket, 128 tickets a slot (SPEC 8.3).
abstract contract Statuses is TicketStore {
    /// @dev The low bit of each ticket's two.
    uint256 private constant LOW_BITS = type(uint256).max / 3;

    /// @inheritdoc IEventTickets
    function redeemWords(uint256[] calldata words, uint256[] calldata masks) external onlyRole(Role.GATE) {
        _requireRunning(STOP_REDEEM);
        if (words.length != masks.length) revert LengthMismatch(words.length, masks.length);
        if (words.length == 0) revert EmptyList();
        uint256 lowest = type(uint256).max;
        uint256 highest;
        for (uint256 i; i < words.length; ++i) {
            uint256 word = words[i];
            _redeem(word, masks[i]);
            if (word < lowest) lowest = word;
            if (word > highest) highest = word;
        }
        emit BatchMetadataUpdate(lowest << WORD_SHIFT, highest << WORD_SHIFT | 127);
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

    function _redeem(uint256 word, uint256 mask) private {
        if (mask == 0 || mask & ~LOW_BITS != 0) revert MaskInvalid(word, mask);
        BatchWord batch = _batch[word >> (16 - WORD_SHIFT)];
        uint256 base = (word << WORD_SHIFT) & 0xffff;
        uint256 count = batch.count();
        // Tickets of the word that exist: count - base, of which a word holds 128.
        if (count <= base || (count - base < 128 && mask >> (count - base) * 2 != 0)) revert NoSuchTickets(word, mask);

        uint256 status = _status[word];
        uint256 overlap = mask & (status | status >> 1);
        uint256 fresh = mask ^ overlap;
        if (fresh != 0) {
            _status[word] = status | fresh;
            emit TicketsRedeemed(word, fresh);
        }
        if (overlap != 0) emit RedeemOverlap(word, overlap);
    }

    function _change(uint256 tokenId, Status from, Status to) private {
        _existing(tokenId);
        Status status = _statusOf(tokenId);
        if (status != from) revert StatusChangeRefused(tokenId, status, to);
        _setStatus(tokenId, to);
    }

    function _setStatus(uint256 tokenId, Status status) private {
        uint256 shift = (tokenId & 127) << 1;
        uint256 word = tokenId >> WORD_SHIFT;
        _status[word] = _status[word] & ~(3 << shift) | uint256(status) << shift;
        emit MetadataUpdate(tokenId);
    }

    function _start(uint256[] calldata list) private pure returns (uint256) {
        if (list.length == 0) revert EmptyList();
        return 0;
    }
}
