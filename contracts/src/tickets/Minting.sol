// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IEventTickets, Policy} from "../interfaces/IEventTickets.sol";
import {OwnerCode} from "../lib/OwnerCode.sol";
import {BatchWord, BatchWords, ClassWord} from "../lib/Words.sol";
import {Role} from "./Roles.sol";
import {TicketStore} from "./TicketStore.sol";

/// @dev Batches: written once, under a given number, in any order (SPEC 8.2).
abstract contract Minting is TicketStore {
    /// @dev keccak256("Transfer(address,address,uint256)")
    bytes32 private constant TRANSFER = 0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef;

    /// @inheritdoc IEventTickets
    function mint(uint32 number, uint8 class, bytes calldata owners) external onlyRole(Role.ISSUER) {
        EventState memory state = _event;
        if (state.cancelled) revert CancelledEvent();
        if (state.stops & STOP_MINT != 0) revert Stopped(state.stops);
        uint256 count = _checkShape(number, owners);
        ClassWord word = _existingClass(class);

        BatchWord taken = _batch[number];
        if (taken.pointer() != address(0)) return _repeat(number, class, owners, taken);

        uint256 limit = state.minted + MAX_AHEAD;
        if (number > limit) revert BatchTooFarAhead(number, limit);
        if (word.issued() + count > word.capacity()) {
            revert CapacityExceeded(class, word.capacity(), word.issued(), count);
        }

        _class[class] = word.plusIssued(count);
        state.minted += 1;
        if (number > state.highest) state.highest = number;
        _event = state;
        address pointer = OwnerCode.write(owners);
        if (pointer == address(0)) revert OwnersNotWritten();
        _batch[number] = BatchWords.pack(pointer, count, class);

        emit BatchMinted(number, class, count, pointer, pointer.codehash);
        _emitTransfers(uint256(number) << 16, owners);
        if (word.policy() == Policy.Soulbound) _emitLocked(uint256(number) << 16, count);
    }

    /// @inheritdoc IEventTickets
    function batchInfo(uint256 number)
        external
        view
        returns (address pointer, uint256 count, uint256 class, uint256 mintedAt, bytes32 ownersHash)
    {
        BatchWord batch = _batchAt(number);
        if (batch.pointer() == address(0)) return (address(0), 0, 0, 0, bytes32(0));
        return (batch.pointer(), batch.count(), batch.class(), batch.mintedAt(), batch.pointer().codehash);
    }

    /// @inheritdoc IEventTickets
    function batchOwners(uint256 number) external view returns (bytes memory) {
        BatchWord batch = _batchAt(number);
        return OwnerCode.read(batch.pointer(), batch.count());
    }

    function _checkShape(uint256 number, bytes calldata owners) private pure returns (uint256 count) {
        if (number == 0 || number > MAX_BATCH) revert BatchNumberInvalid(number, MAX_BATCH);
        count = owners.length / OwnerCode.SIZE;
        if (count == 0 || count > OwnerCode.MAX_OWNERS || owners.length % OwnerCode.SIZE != 0) {
            revert OwnersLengthInvalid(owners.length, OwnerCode.MAX_OWNERS);
        }
        // Sorted lists with a zero address have it first.
        if (bytes20(owners[:OwnerCode.SIZE]) == 0) revert ERC721InvalidReceiver(address(0));
    }

    /// @dev The same batch again is a success, so that a sender who doesn't know whether it arrived may repeat it.
    function _repeat(uint256 number, uint256 class, bytes calldata owners, BatchWord taken) private {
        bytes32 stored = taken.pointer().codehash;
        bytes32 given = OwnerCode.hash(owners);
        if (stored != given || taken.class() != class) revert BatchTaken(number, stored, given);
        emit BatchAlreadyMinted(number, stored);
    }

    /// @dev One Transfer an owner; the loop also finds out whether they are sorted, and a fault undoes everything.
    function _emitTransfers(uint256 firstId, bytes calldata owners) private {
        bool falls;
        assembly ("memory-safe") {
            let end := add(owners.offset, owners.length)
            let previous := 0
            let id := firstId
            for { let at := owners.offset } lt(at, end) { at := add(at, 20) } {
                let owner := shr(96, calldataload(at))
                falls := or(falls, lt(owner, previous))
                log4(0, 0, TRANSFER, 0, owner, id)
                previous := owner
                id := add(id, 1)
            }
        }
        if (falls) _revertNotSorted(owners);
    }

    function _revertNotSorted(bytes calldata owners) private pure {
        uint256 index = 1;
        for (bytes20 previous = bytes20(owners[:20]);; ++index) {
            bytes20 next = bytes20(owners[index * 20:index * 20 + 20]);
            if (next < previous) revert OwnersNotSorted(index);
            previous = next;
        }
    }

    /// @dev ERC-5192 asks for it; only the class that can never move pays the 1,000 gas a ticket (docs/decisions).
    function _emitLocked(uint256 firstId, uint256 count) private {
        for (uint256 id = firstId; id < firstId + count; ++id) emit Locked(id);
    }
}
