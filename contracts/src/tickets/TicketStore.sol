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
    uint256 internal constant MAX_TOKEN = type(uint40).max;
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
    mapping(uint256 class => uint256) internal _payment; // token 160 | units per minor unit 72 | currency 24
    mapping(uint256 class => string) internal _label;

    // As long as their index can be. A slot is found by counting, which spares a move the hashes that mappings need.
    ClassWord[1 << 8] internal _class;
    BatchWord[1 << 24] internal _batch; // by number
    TokenWord[1 << 40] internal _token; // by id
    StatusWord[1 << 33] internal _status; // by id >> WORD_SHIFT

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
        return word > MAX_TOKEN >> WORD_SHIFT ? 0 : _status[word].bits;
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
        if (tokenId > MAX_TOKEN) return token;
        assembly ("memory-safe") {
            token := sload(add(_token.slot, tokenId))
        }
        if (!token.exists()) {
            BatchWord batch = _batch[tokenId >> 16];
            uint256 index = tokenId & 0xffff;
            if (index < batch.count()) {
                token = TokenWords.unmoved(OwnerCode.ownerAt(batch.pointer(), index), batch.class());
            }
        }
    }

    function _existing(uint256 tokenId) internal view returns (TokenWord token) {
        token = _load(tokenId);
        if (!token.exists()) revert ERC721NonexistentToken(tokenId);
    }

    function _statusOf(uint256 tokenId) internal view returns (Status) {
        return Status(_statusBits(tokenId));
    }

    /// @dev Of a ticket that exists.
    function _statusBits(uint256 tokenId) internal view returns (uint256 bits) {
        assembly ("memory-safe") {
            bits := and(shr(shl(1, and(tokenId, 127)), sload(add(_status.slot, shr(WORD_SHIFT, tokenId)))), 3)
        }
    }

    /// @dev Any number; a batch of zero if there is none.
    function _batchAt(uint256 number) internal view returns (BatchWord batch) {
        if (number <= MAX_BATCH) batch = _batch[number];
    }

    function _classOf(TokenWord token) internal view returns (ClassWord word) {
        uint256 class = token.class();
        assembly ("memory-safe") {
            word := sload(add(_class.slot, class))
        }
    }

    function _existingClass(uint256 class) internal view returns (ClassWord word) {
        if (class <= type(uint8).max) word = _class[class];
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
