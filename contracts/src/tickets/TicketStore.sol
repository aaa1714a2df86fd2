// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ClassInfo, IEventTickets, Status} from "../interfaces/IEventTickets.sol";
import {OwnerCode} from "../lib/OwnerCode.sol";
import {BatchWord, ClassWord, TokenWord, TokenWords} from "../lib/Words.sol";
import {Roles} from "./Roles.sol";

/// @dev What is stored, and the reads that every part needs (SPEC 8.3).
abstract contract TicketStore is IEventTickets, Roles {
    /// @dev Highest batch number; an id then fits the 40 bits of a compact code (SPEC 3).
    uint256 internal constant MAX_BATCH = type(uint24).max;
    /// @dev How far a batch number may run ahead of the number of batches, so that nobody makes the search for a
    /// holder's tickets endless by minting at high numbers.
    uint256 internal constant MAX_AHEAD = 1_024;
    /// @dev Tickets of a status word.
    uint256 internal constant WORD_SHIFT = 7;

    uint8 internal constant STOP_MINT = 1;
    uint8 internal constant STOP_MOVE = 2;
    uint8 internal constant STOP_REDEEM = 4;

    /// @dev Bytes of an EIP-1167 clone before its arguments: custody 20 | event hash 32.
    uint256 private constant CLONE_ARGS = 45;

    struct EventState {
        bool initialized;
        bool cancelled;
        uint8 stops;
        uint8 classCount;
        uint32 graceSeconds;
        uint32 minted; // batches
        uint32 highest; // batch number
    }

    struct StatusWord {
        uint256 bits;
    }

    EventState internal _event;
    address internal _payee;
    string internal _name;
    string internal _symbol;
    string internal _description;
    mapping(uint256 number => BatchWord) internal _batch;
    mapping(uint256 tokenId => TokenWord) internal _token;
    mapping(uint256 word => StatusWord) internal _status;
    mapping(uint256 class => ClassWord) internal _class;
    mapping(uint256 class => uint256) internal _payment; // token 160 | units per minor unit 72 | currency 24
    mapping(uint256 class => string) internal _label;

    /// @inheritdoc IEventTickets
    function custody() public view returns (address account) {
        assembly ("memory-safe") {
            mstore(0, 0)
            extcodecopy(address(), 12, CLONE_ARGS, 20)
            account := mload(0)
        }
    }

    /// @inheritdoc IEventTickets
    function epochOf(uint256 tokenId) external view returns (uint256) {
        return _existing(tokenId).epoch();
    }

    /// @inheritdoc IEventTickets
    function classOf(uint256 tokenId) external view returns (uint256) {
        return _existing(tokenId).class();
    }

    /// @inheritdoc IEventTickets
    function lastPaidOf(uint256 tokenId) external view returns (uint256) {
        return _existing(tokenId).lastPaid();
    }

    /// @inheritdoc IEventTickets
    function statusOf(uint256 tokenId) external view returns (Status) {
        _existing(tokenId);
        return _statusOf(tokenId);
    }

    /// @inheritdoc IEventTickets
    function statusWord(uint256 word) external view returns (uint256) {
        return _status[word].bits;
    }

    /// @dev Fixed in the clone's code.
    function _eventHash() internal view returns (bytes32 hash) {
        assembly ("memory-safe") {
            extcodecopy(address(), 0, add(CLONE_ARGS, 20), 32)
            hash := mload(0)
        }
    }

    /// @dev The ticket's record, with the owner from its batch if it never moved; an owner of zero if there is no such ticket.
    function _load(uint256 tokenId) internal view returns (TokenWord token) {
        token = _token[tokenId];
        if (token.owner() == address(0)) {
            BatchWord batch = _batch[tokenId >> 16];
            uint256 index = tokenId & 0xffff;
            if (index < batch.count()) {
                token = TokenWords.unmoved(OwnerCode.ownerAt(batch.pointer(), index), batch.class());
            }
        }
    }

    function _existing(uint256 tokenId) internal view returns (TokenWord token) {
        token = _load(tokenId);
        if (token.owner() == address(0)) revert ERC721NonexistentToken(tokenId);
    }

    function _statusOf(uint256 tokenId) internal view returns (Status) {
        return Status(_statusBits(tokenId));
    }

    function _statusBits(uint256 tokenId) internal view returns (uint256) {
        return _status[tokenId >> WORD_SHIFT].bits >> ((tokenId & 127) << 1) & 3;
    }

    function _existingClass(uint256 class) internal view returns (ClassWord word) {
        word = _class[class];
        if (!word.exists()) revert UnknownClass(class);
    }

    /// @dev Refuses when `what` is stopped, or the event cancelled.
    function _requireRunning(uint8 what) internal view {
        EventState storage state = _event;
        (bool cancelled, uint8 stopped) = (state.cancelled, state.stops);
        if (cancelled) revert CancelledEvent();
        if (stopped & what != 0) revert Stopped(stopped);
    }
}
